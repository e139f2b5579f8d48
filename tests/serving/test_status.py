"""status on the folders of real runs, whole and damaged."""

import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from photochrom import cli
from tests.support import runs
from tests.support.runs import ITEMS, edit_row, edit_run, read_rows, write_rows

pytestmark = pytest.mark.job  # whole jobs or trainings


def status(output, capsys) -> tuple[int, dict]:
    """Returns the exit status and the JSON of --json."""
    code = cli.main(["status", str(output), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_status_reads_the_manifest_alone(output, tint, capsys):
    shutil.rmtree(output / "images")
    code, state = status(output, capsys)
    assert code == 0 and state["finished"] and state["adds_up"]
    assert {name: state[name] for name in ("listed", "done", "skipped", "failed", "share_done")} == {
        "listed": 9, "done": 6, "skipped": 2, "failed": 1, "share_done": 0.6667,
    }  # fmt: skip
    assert state["reasons"] == {
        "done:": 6, "failed:undecodable": 1, "skipped:color_input": 1, "skipped:not_an_image": 1,
    }  # fmt: skip
    assert state["kinds"] == {"colour": 1, "gray": 5, "toned": 1, "unknown": 2}
    (run,) = state["runs"]
    digest = json.loads(pathlib.Path(tint, "model.json").read_text())["digest"]
    assert (run["run"], run["rows"], run["model_name"], run["model_digest"]) == (1, 9, "tint", digest)
    assert run["seconds"] == 0 or run["listed_per_second"] == pytest.approx(9 / run["seconds"], abs=1e-3)
    assert state["again"]["known"] and not state["again"]["other_version"]
    fates = {name: state["again"][name] for name in ("kept", "failed", "without_digests")}
    assert fates == {"kept": 8, "failed": 1, "without_digests": 0}
    assert state["again"]["other_model"] == state["again"]["other_settings"] == 0


def test_status_predicts_a_rerun(output, tint, gray_folder, capsys):
    _, before = status(output, capsys)
    edit_row(output, "scans/tall.tif", model_digest="sha256:" + "0" * 64)
    edit_row(output, "scans/sepia.jpg", settings_digest="sha256:" + "0" * 64)
    _, state = status(output, capsys)
    assert (state["again"]["other_model"], state["again"]["other_settings"]) == (1, 1)
    kept = runs.colorize(tint, output, gray_folder).counters["rows-kept"]
    assert kept == state["again"]["kept"] == before["again"]["kept"] - 2
    capsys.readouterr()
    code, after = status(output, capsys)
    assert code == 0 and after["again"] == before["again"]
    assert [(run["run"], run["rows"]) for run in after["runs"]] == [(1, 7), (2, 2)]  # the copies were made again


def test_status_counts_rows_of_another_version(output, capsys):
    edit_run(output, version="0.0.9")
    _, state = status(output, capsys)
    assert state["again"]["other_version"] == "0.0.9"
    assert (state["again"]["kept"], state["again"]["other_settings"], state["again"]["failed"]) == (0, 8, 1)


def test_status_escapes_control_characters_in_its_text(output, capsys):
    edit_run(output, version="\x1b[31m", started="2026-11-24T22:00:00Z", finished="2026-11-25T00:05:00Z")
    assert cli.main(["status", str(output)]) == 0
    said = capsys.readouterr().out
    assert "9 inputs: 6 done, 2 skipped, 1 failed\n  failed          1  undecodable\n" in said
    assert "done: 66.7%\nkinds: 1 colour, 5 gray, 1 toned, 2 unknown\n" in said
    assert "run 1, 2026-11-24T22:00:00Z, 2 h 5 min: 9 inputs" in said and "model tint sha256:" in said
    assert "photochrom \\x1b[31m," in said and "\x1b" not in said
    assert "        1  try again: failed\n" in said and "cannot tell whether scans changed" in said
    assert said.endswith("the last run finished, and its rows add up\n")


def double(output, rows):
    write_rows(output, [row for row in rows.values() for _ in range(1 + (row["key"] == "scans/tall.tif"))])


def reverse(output, rows):
    write_rows(output, list(rows.values())[::-1])


def move(output, rows):
    (output / ITEMS).rename(output / "manifest/items-00001-of-00002.jsonl")


def add_shard(output, rows):
    (output / "manifest/items-00000-of-00003.jsonl").write_text(json.dumps(rows["scans/tall.tif"]) + "\n")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (double, "scans/tall.tif has more than one row"),
        (reverse, "scans/sepia.jpg is out of order in items-00000-of-00001.jsonl"),
        (move, "has a row in items-00001-of-00002.jsonl, where none of that key belongs"),
        (add_shard, "files of different cuts: of 00001.jsonl and of 00003.jsonl"),
        (lambda o, rows: write_rows(o, list(rows.values())[1:]), "has 8 rows, its summary.json says 9"),
        (
            lambda o, rows: edit_row(o, "scans/tall.tif", status="failed", reason="x"),
            "1 rows that are failed:x, its summary.json says 0",
        ),
        (lambda o, rows: edit_row(o, "scans/tall.tif", output=""), "scans/tall.tif is done, but its row names no copy"),
    ],
)
def test_status_names_rows_that_do_not_add_up(output, capsys, spoil, words):
    spoil(output, read_rows(output))
    assert cli.main(["status", str(output)]) == 1
    said = capsys.readouterr()
    assert words in said.out
    assert "rows do not add up" in said.err and len(said.err.splitlines()) == 1


def test_status_reports_a_run_under_way(output, capsys):
    (output / ".colorize/progress").mkdir(parents=True)
    (output / ".colorize/progress/host-1.json").write_text("{}")
    os.utime(output / ".colorize/progress/host-1.json", (1, 1))
    assert cli.main(["status", str(output)]) == 1
    said = capsys.readouterr()
    assert "not finished: a run is under way or did not finish" in said.out and "its last heartbeat was" in said.out
    assert "the last run did not finish" in said.err
    shutil.rmtree(output / "manifest")
    assert cli.main(["status", str(output)]) == 2
    assert "no run has finished there: a run is under way or did not finish" in capsys.readouterr().err


def test_status_reports_rows_of_an_unrecorded_run(output, capsys):
    (output / "manifest/runs.jsonl").unlink()
    code, state = status(output, capsys)
    assert code == 1
    assert state["unfinished"] == "9 rows are of run 1, which is not in runs.jsonl: it was killed"
    assert not state["again"]["known"] and state["runs"] == []


def test_status_and_verify_import_no_beam_or_tensorflow(coloured):
    code = (
        "import sys; from photochrom import cli\n"
        "for name in ('status', 'verify'): assert cli.main([name, sys.argv[1]]) == 0\n"
        "sys.exit(bool({'apache_beam', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(coloured)], check=False, timeout=60, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def listed(output, capsys, *flags) -> list[str]:
    assert cli.main(["status", str(output), *flags]) == 0
    return capsys.readouterr().out.splitlines()


def test_status_lists_the_inputs_of_one_status(output, capsys):
    edit_row(output, "scans/broken.jpg", message="=1+1\n")
    assert listed(output, capsys, "--list=failed") == ["scans/broken.jpg: undecodable: =1+1\\x0a"]
    header, line = csv.reader(listed(output, capsys, "--list=failed", "--csv"))
    assert dict(zip(header, line, strict=True))["message"] == "'=1+1\\x0a"
    (row,) = map(json.loads, listed(output, capsys, "--list=failed", "--json"))
    assert (row["key"], row["status"], row["message"], row["run"]) == ("scans/broken.jpg", "failed", "=1+1\n", 1)
    assert len(listed(output, capsys, "--list=done")) == 6 and len(listed(output, capsys, "--list=skipped")) == 2


@pytest.mark.parametrize(
    ("flags", "words"),
    [(["--csv"], "--csv is for a list of inputs"), (["--list=failed", "--csv", "--json"], "not allowed")],
)
def test_status_refuses_csv_of_totals(output, capsys, flags, words):
    assert cli.main(["status", str(output), *flags]) == 2
    assert words in capsys.readouterr().err
