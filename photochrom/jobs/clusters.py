"""Checks of a cluster before a job starts, and a one-line report of a failed job.

Beam's portable runners answer with Java and gRPC traces of hundreds of lines. Those go to a log file; the report has
the cause and advice.
"""

import contextlib
import json
import logging
import os
import pathlib
import re
import socket
import tempfile
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping, Sequence

from apache_beam.options import pipeline_options

from photochrom import errors
from photochrom.jobs import advice, dataflow

_TIMEOUT_SECONDS = 10
# Addresses with which Beam starts a Flink of its own.
_OWN_FLINK = ("[local]", "[auto]")
_FLINK_ENTRY = "org/apache/beam/runners/flink/FlinkPipelineRunner.class"
_FLINK_LINE = re.compile(r"beam-runners-flink-(\d+\.\d+)[-/]")
_CAUSE = re.compile(r"^(?:Caused by: )?([\w.$]*(?:Error|Exception|Interrupt|Exit|Died)\b.*)$", re.MULTILINE)
_WORKER_SAYS = "Error received from SDK harness"
_MAX_CAUSE = 400


def is_local(options: pipeline_options.PipelineOptions) -> bool:
    """Whether a job runs within this process and its children."""
    return dataflow.runner(options) in ("direct", "directrunner", "fnapirunner", "bundlebaseddirectrunner")


def check_job(options: pipeline_options.PipelineOptions, paths: Mapping[str, Sequence[str]]) -> None:
    """Checks that a job's flags fit its runner, before anything is listed and without a request.

    Args:
        options: Beam's.
        paths: the paths of each of the job's flags.

    Raises:
        UsageError: a flag is missing or does not fit, or that runner's workers cannot read a path.
    """
    if dataflow.is_chosen(options):
        dataflow.check(options, paths)


def check_idle(options: pipeline_options.PipelineOptions, output: str) -> None:
    """Checks that no job without its launcher still writes to an output folder, where the cluster lists its jobs.

    Raises:
        UsageError: one does.
        PhotochromError: the cluster refuses the request.
    """
    if dataflow.is_chosen(options) and not dataflow.is_template(options):
        with explained(options):
            dataflow.check_idle(options, output)


def check(options: pipeline_options.PipelineOptions) -> None:
    """Checks that the cluster answers and the job server's jar fits it, before anything is built or sent.

    Raises:
        PhotochromError: the cluster does not answer, or has no workers.
        UsageError: a jar or an address that does not fit.
    """
    portable = options.view_as(pipeline_options.PortableOptions)
    flink = options.view_as(pipeline_options.FlinkRunnerOptions)
    if portable.job_endpoint and portable.job_endpoint != "embed":
        _check_answers("--job_endpoint", portable.job_endpoint)
    elif dataflow.runner(options) == "flinkrunner":
        version = _flink_version(flink.flink_master) if flink.flink_master not in _OWN_FLINK else ""
        if flink.flink_job_server_jar and "://" not in flink.flink_job_server_jar:
            _check_jar(flink.flink_job_server_jar, version)


@contextlib.contextmanager
def explained(options: pipeline_options.PipelineOptions) -> Iterator[None]:
    """Turns any error of a runner in the body into one line; its log and Beam's go to a file.

    Raises:
        PhotochromError: with the cause, advice, and the path of the log.
    """
    handle, path = tempfile.mkstemp(prefix="photochrom-", suffix=".log")
    os.close(handle)
    with _logging_to(path):
        try:
            yield
        except errors.PhotochromError:
            pathlib.Path(path).unlink()
            raise
        except Exception as error:
            logging.getLogger(__name__).debug("the job failed", exc_info=True)
            trace = f"{error}\n{pathlib.Path(path).read_text(errors='replace')}"
            cause = find_cause(str(error)) or f"{type(error).__name__}: {error}"[:_MAX_CAUSE]
            raise errors.PhotochromError(
                f"the job failed: {cause}; {_advise(trace, options)}all of it is in {path}"
            ) from error
    pathlib.Path(path).unlink()


def find_cause(trace: str) -> str:
    """Returns the most telling line of a Java, Python or gRPC trace: a worker's own error, else the last cause."""
    _, _, of_worker = trace.partition(_WORKER_SAYS)
    before_java = re.split(r"^\s+at [\w.$/]+\(", of_worker, maxsplit=1, flags=re.MULTILINE)[0]
    found = _CAUSE.findall(before_java) or _CAUSE.findall(trace)
    return " ".join(found[-1].split())[:_MAX_CAUSE] if found else ""


def _advise(trace: str, options: pipeline_options.PipelineOptions) -> str:
    portable = options.view_as(pipeline_options.PortableOptions)
    kind, config = portable.environment_type, portable.environment_config
    pool = f"no worker pool answers at {config}, as seen from the TaskManagers: start one beside each of them"
    found = advice.find(
        trace,
        dataflow.is_chosen(options),
        pool=pool if kind == "EXTERNAL" else "a part of the cluster is out of reach; see its logs",
        process=f"the workers' command fails, see the TaskManagers' logs; --environment_config is {config}",
    )
    return f"{found}; " if found else ""


@contextlib.contextmanager
def _logging_to(path: str) -> Iterator[None]:
    """Writes the log to a file; the terminal shows only this project's records."""
    root = logging.getLogger()
    file = logging.FileHandler(path, encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    shown = list(root.handlers)

    def is_ours(record: logging.LogRecord) -> bool:
        return record.name.startswith("photochrom") and record.levelno > logging.DEBUG

    level = logging.getLogger(__name__).level
    logging.getLogger(__name__).setLevel(logging.DEBUG)
    root.addHandler(file)
    for handler in shown:
        handler.addFilter(is_ours)
    try:
        yield
    finally:
        for handler in shown:
            handler.removeFilter(is_ours)
        root.removeHandler(file)
        file.close()
        logging.getLogger(__name__).setLevel(level)


def _check_answers(flag: str, address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise errors.UsageError(f"{flag} is {address!r}, expected HOST:PORT")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _TIMEOUT_SECONDS).close()
    except OSError as error:
        raise errors.PhotochromError(
            f"nothing answers at {address} ({error}); start the job server there, or correct {flag}"
        ) from error


def _flink_version(master: str) -> str:
    """Returns the version of the Flink at an address, such as `2.2.1`."""
    url = master.strip() if "://" in master else f"http://{master.strip()}"
    try:
        version = str(_read_json(f"{url}/v1/config")["flink-version"])
        slots = int(_read_json(f"{url}/v1/overview")["slots-total"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise errors.PhotochromError(
            f"no Flink JobManager answers at {master} ({error}); start it, or correct --flink_master: the address of "
            "its REST server, usually HOST:8081"
        ) from error
    if not slots:
        raise errors.PhotochromError(
            f"the Flink at {master} has no TaskManager, so no job can run; start one, and see its log if it ends"
        )
    return version


def _read_json(url: str) -> dict:
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("not an address of http or https")
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:
        return json.load(answer)


def _check_jar(path: str, version: str) -> None:
    try:
        with zipfile.ZipFile(path) as jar:
            names = jar.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise errors.UsageError(f"--flink_job_server_jar {path} is not a readable jar: {error}") from error
    if _FLINK_ENTRY not in names:
        raise errors.UsageError(
            f"--flink_job_server_jar {path} does not hold Beam's Flink runner; expected "
            "beam-runners-flink-LINE-job-server, LINE being Flink's version such as 2.2"
        )
    line = next((found[1] for found in map(_FLINK_LINE.search, [pathlib.Path(path).name, *names]) if found), "")
    if version and line and version.split(".")[:2] != line.split("."):
        raise errors.UsageError(
            f"--flink_job_server_jar {path} is built for Flink {line}, the cluster runs {version}; take "
            f"beam-runners-flink-{'.'.join(version.split('.')[:2])}-job-server"
        )
