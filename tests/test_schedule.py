"""The files of docs/schedule: the crontab's line runs, systemd accepts its units, DAG and CronJob have valid parts."""

import ast
import configparser
import fcntl
import os
import pathlib
import re
import shlex
import shutil
import subprocess

import pytest
import yaml

from photochrom.jobs import beam_job
from serving import colorize, status

SCHEDULE = pathlib.Path(__file__).parents[1] / "docs/schedule"
PROGRAM = "/opt/photochrom/bin/photochrom"
UNITS = ("photochrom.service", "photochrom.timer", "photochrom-failed.service")


def check_colorize(argv: list[str]) -> None:
    """Checks that colorize and Beam know all flags, and that paths are absolute."""
    flags, beam_flags = colorize.build_parser().parse_known_args(argv)
    beam_job.parse_options(beam_flags)
    assert (flags.input, flags.output, flags.max_failures) == (["/archive/scans"], "/archive/coloured", "new:0")


def commands(text: str) -> list[list[str]]:
    """Returns the arguments of each call of the program in a shell command."""
    return [shlex.split(call) for call in re.findall(rf"{PROGRAM} ([\w/.:=\- ]+)", text)]


@pytest.fixture
def cron_line() -> str:
    (line,) = [one for one in (SCHEDULE / "crontab").read_text().splitlines() if not one.startswith("#")]
    return line


def test_crontab_has_five_fields_and_known_flags(cron_line):
    *times, command = cron_line.split(None, 5)
    assert all(re.fullmatch(r"\*|\d+", one) for one in times) and len(times) == 5
    assert "%" not in command.replace("\\%", "")
    colorized, listed = commands(command)
    check_colorize(colorized[1:])
    status.build_parser().parse_args(listed[1:])


@pytest.mark.parametrize(("code", "mails"), [(0, False), (3, True)])
def test_crontab_mails_a_body_after_failures_only(cron_line, tmp_path, code, mails):
    assert run_cron(cron_line, tmp_path, f"echo ran {code}; exit {code}") == 0
    assert (tmp_path / "photochrom.log").read_text() == f"ran {code}\n"
    sent = tmp_path / "sent"
    assert sent.exists() == mails
    if mails:
        subject, *body = sent.read_text().splitlines()
        assert subject == "-s photochrom: colorize failed archive@example.org"
        assert body == [f"ran {code}", "scans/a.tif: undecodable"]


def test_crontab_is_silent_while_another_run_is_active(cron_line, tmp_path):
    with open(tmp_path / "photochrom.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert run_cron(cron_line, tmp_path, "exit 1") == 0
    assert not (tmp_path / "sent").exists() and (tmp_path / "photochrom.log").read_text() == ""


def run_cron(line: str, home: pathlib.Path, script: str) -> int:
    """Runs the command of a line as cron does, with stubs of the program and of mail, and returns its status."""
    if not shutil.which("flock"):
        pytest.skip("needs flock (util-linux)")
    stubs = {
        "photochrom": f'if [ "$1" = status ]; then echo scans/a.tif: undecodable; exit 0; fi; {script}',
        "mail": '{ echo "$*"; cat; } > "$HOME/sent"',
    }
    for name, body in stubs.items():
        (home / name).write_text(f"#!/bin/sh\n{body}\n")
        (home / name).chmod(0o755)
    command = line.split(None, 5)[5].replace(PROGRAM, str(home / "photochrom"))
    environment = {"HOME": str(home), "PATH": f"{home}:{os.environ['PATH']}", "SHELL": "/bin/sh"}
    return subprocess.run(["/bin/sh", "-c", command], env=environment, check=False, timeout=60).returncode


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read(SCHEDULE / name)
    return parser


def test_units_belong_together_and_have_known_flags():
    job = unit("photochrom.service")
    (colorized,) = commands(job["Service"]["ExecStart"])
    check_colorize(colorized[1:])
    assert job["Unit"]["OnFailure"] in UNITS
    assert job["Service"]["ReadOnlyPaths"] == "/archive/scans"
    assert job["Service"]["ReadWritePaths"] == "/archive/coloured"
    (listed,) = commands(unit("photochrom-failed.service")["Service"]["ExecStart"])
    status.build_parser().parse_args(listed[1:])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_accepts_the_units(tmp_path):
    for name in UNITS:
        text = (SCHEDULE / name).read_text().replace(f"ExecStart={PROGRAM}", "ExecStart=/bin/true")  # it has to exist
        (tmp_path / name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", *(tmp_path / name for name in UNITS)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "photochrom" in line]) == (0, [])
    calendar = ["systemd-analyze", "calendar", unit("photochrom.timer")["Timer"]["OnCalendar"]]
    assert subprocess.run(calendar, check=False, capture_output=True, timeout=60).returncode == 0


def test_dag_is_ten_lines_of_known_names():
    tree = ast.parse((SCHEDULE / "airflow_dag.py").read_text())
    assert sum(node.end_lineno - node.lineno + 1 for node in tree.body[-2:]) <= 10
    named = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    calls = {node.func.id: node for node in named}
    names = {name: {one.arg for one in node.keywords} for name, node in calls.items()}
    assert names["DAG"] == {"schedule", "start_date", "catchup", "max_active_runs"}
    assert names["BashOperator"] == {"task_id", "bash_command", "retries", "retry_delay"}
    imported = {one.name for node in tree.body if isinstance(node, ast.ImportFrom) for one in node.names}
    assert imported == {"DAG", "BashOperator", "datetime", "timedelta"} == calls.keys()
    (command,) = [node.value.value for node in tree.body if isinstance(node, ast.Assign)]
    assert command.split()[0] == "colorize" and "--json" in command
    check_colorize(shlex.split(command)[1:])


def test_cronjob_has_the_required_fields_and_no_rights():
    job = yaml.safe_load((SCHEDULE / "kubernetes-cronjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"], job["spec"]["concurrencyPolicy"]) == ("batch/v1", "CronJob", "Forbid")
    assert len(job["spec"]["schedule"].split()) == 5
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["restartPolicy"] == "Never" and pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["command"] == ["photochrom"] and container["args"][0] == "colorize"
    check_colorize(container["args"][1:])
    mounts = {one["name"]: one for one in container["volumeMounts"]}
    assert mounts.keys() == {one["name"] for one in pod["volumes"]}
    assert mounts["scans"] == {"name": "scans", "mountPath": "/archive/scans", "readOnly": True}
    rules = job["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    assert [rule["onExitCodes"]["values"] for rule in rules] == [[2, 3]]
    assert {rule["onExitCodes"]["containerName"] for rule in rules} == {container["name"]}


def test_dockerfile_copies_what_exists_for_a_user_without_rights():
    root = SCHEDULE.parents[1]
    recipe = (root / "Dockerfile").read_text()
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", recipe, re.MULTILINE) for name in line.split()}
    assert {"constraints.txt", "setup.py", "photochrom", "pipelines", "trainer", "serving"} <= copied
    assert all((root / name).exists() for name in copied)
    kept = {line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied <= kept
    assert 'USER 10001:10001\nENTRYPOINT ["photochrom"]' in recipe
