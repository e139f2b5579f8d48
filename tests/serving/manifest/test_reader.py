"""The manifest of a real run, damaged or edited by hand: each command refuses it with one line."""

import json
import shutil

import pytest

from photochrom import cli
from serving.manifest import reader
from tests.support import runs
from tests.support.runs import ITEMS, edit_row, edit_run

pytestmark = pytest.mark.job  # whole jobs or trainings

NOTE = f"manifest/pending/{'0' * 32}.jsonl"


def note(output, /, **values) -> None:
    """Writes a note of a run that did not finish: the row of a scan, changed."""
    row = runs.read_rows(output)["scans/tall.tif"]
    (output / "manifest/pending").mkdir()
    (output / NOTE).write_text(json.dumps({**row, **values}) + "\n")


def link_out(name):
    def damage(output):
        target = output.parent / "elsewhere"
        (output / name).rename(target)
        (output / name).symlink_to(target)

    return damage


BROKEN = [
    (lambda o: (o / "manifest/summary.json").write_text("[]"), "manifest/summary.json, line 1 is broken: is '[]'"),
    (lambda o: (o / "manifest/summary.json").write_text("{"), "manifest/summary.json, line 1 is broken: Expecting"),
    (lambda o: (o / "manifest/summary.json").write_text("[" * 10**5), "maximum recursion depth exceeded"),
    (lambda o: (o / "manifest/summary.json").write_text(" " * (2**20 + 1)), "is larger than 1048576 bytes"),
    (lambda o: (o / "manifest/runs.jsonl").write_text('{"run": 1}\n'), "manifest/runs.jsonl, line 1 is broken: has no"),
    (lambda o: edit_run(o, run=7), "has run 7 where 1 was expected"),
    (lambda o: edit_run(o, finished="yesterday"), "does not match format"),
    (lambda o: edit_run(o, model_name=[]), "line 1 is broken: model_name is '[]', expected a text"),
    (lambda o: edit_run(o, listed="9"), "listed is '9', expected a whole number"),
    (lambda o: (o / ITEMS).write_bytes(b"\xff\n"), f"{ITEMS}, line 1 is broken: a line is no UTF-8"),
    (lambda o: (o / ITEMS).write_text('{"key": '), f"{ITEMS}, line 1 is broken: Expecting value"),
    (lambda o: (o / ITEMS).write_text("[" * 10**5), "nested too deep"),
    (lambda o: (o / ITEMS).write_text("[]\n"), "line 1 is broken: is '[]', expected a JSON object"),
    (lambda o: (o / ITEMS).write_text('{"key": 5}\n'), "line 1 is broken: key is '5', expected a text"),
    (lambda o: edit_row(o, "scans/tall.tif", reason="\x1b[0m"), "line 9 is broken: reason is"),
    (lambda o: edit_row(o, "scans/tall.tif", sidecars={"images/a": 5}), "line 9 is broken: sidecars is"),
    (lambda o: edit_row(o, "scans/tall.tif", output="images/../../x"), "expected a path below images/, in the row of"),
    (link_out(ITEMS), "leads out of the folder by a link; it was not read"),
    (link_out("manifest/runs.jsonl"), "leads out of the folder by a link; it was not read"),
]


@pytest.fixture
def commands(output, tint, gray_folder):
    """Name -> command line, for the output folder."""
    flags = [f"--model={tint}", f"--input={gray_folder}", f"--output={output}", "--max_failures=50%"]
    return {"colorize": flags, **{name: [str(output)] for name in ("status", "verify", "bag")}}


def refused(command, argv, words, capsys) -> None:
    assert cli.main([command, *argv]) == 2
    said = capsys.readouterr()
    assert words in said.err and len(said.err.splitlines()) == 1 and not said.out


@pytest.mark.parametrize(("damage", "words"), BROKEN)
def test_broken_manifest_is_refused_in_one_line(output, commands, capsys, damage, words):
    damage(output)
    before = runs.tree(output)
    for command, argv in commands.items():
        refused(command, argv, words, capsys)
    assert runs.tree(output) == before


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"status": "lost"}, f"{NOTE}, line 1 is broken: status is 'lost'"),
        ({"obsolete": ["images/../../x"]}, "images/../../x: expected a path below images/"),
        ({"output": "images/"}, "images/: expected a path below images/"),
    ],
)
def test_broken_note_is_refused_by_colorize(output, commands, capsys, values, words):
    note(output, **values)
    refused("colorize", commands["colorize"], words, capsys)


@pytest.mark.parametrize("command", ["status", "verify", "bag"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (shutil.rmtree, "is no folder"),
        (lambda o: (o / "manifest/summary.json").unlink(), "has no manifest/summary.json: no run has finished there"),
    ],
)
def test_folder_without_a_finished_run_is_refused(output, commands, capsys, command, damage, words):
    damage(output)
    refused(command, commands[command], words, capsys)


def test_broken_file_names_the_way_to_continue(output, commands, capsys):
    (output / ITEMS).write_text("{\n")
    refused("colorize", commands["colorize"], "restore this file from a copy, or delete it and run the same", capsys)
    (output / ITEMS).unlink()
    assert cli.main(["colorize", *commands["colorize"]]) == 0
    assert cli.main(["verify", str(output)]) == 0


def test_check_accepts_a_folder_without_a_run(tmp_path):
    reader.check(str(tmp_path))
    reader.check(str(tmp_path / "none"))
