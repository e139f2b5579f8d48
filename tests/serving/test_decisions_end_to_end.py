"""Decisions in whole runs: rejected copies are set aside or redone, accepted ones stand, a bag has only these."""

import json

import bagit
import pytest

from photochrom import cli
from serving import bag, review_page
from tests.support import runs
from tests.support.runs import read_rows, tree

pytestmark = pytest.mark.job  # whole jobs

# Scans that a run reads again, and calls of the model: only the broken scan, which each run retries.
BROKEN_ALONE = (1, 0)
ACCEPTED, REJECTED = "scans/box1/wide.png", "scans/tall.tif"


@pytest.fixture
def decisions(output, tmp_path) -> str:
    """A file that accepts one copy and rejects another."""
    rows = read_rows(output)
    lines = [
        {"key": key, "copy_sha256": rows[key]["output_sha256"], "decision": decision, "reason": "too red",
         "reviewer": "Ada", "time": "2026-01-31T12:00:00Z"}
        for key, decision in ((ACCEPTED, "accept"), (REJECTED, "reject"))
    ]  # fmt: skip
    (tmp_path / "decisions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return f"--decisions={tmp_path / 'decisions.jsonl'}"


def test_decisions_need_no_model_call(output, tint, gray_folder, decisions, capsys):
    run = runs.colorize(tint, output, gray_folder, flags=[decisions])
    assert run.work[1:] == BROKEN_ALONE
    assert "1 accepted, 1 rejected and set aside" in capsys.readouterr().out
    assert (output / "rejected/scans/tall.tif").is_file() and not (output / "images/scans/tall.tif").exists()
    assert (run.rows[ACCEPTED]["decision"], run.rows[REJECTED]["reason"]) == ("accepted", "rejected")
    assert (run.rows[ACCEPTED]["run"], run.rows[REJECTED]["run"]) == (1, 2)
    assert cli.main(["verify", str(output)]) == 0 and cli.main(["status", str(output)]) == 0
    before = tree(output)
    assert runs.colorize(tint, output, gray_folder).work[1:] == BROKEN_ALONE and tree(output) == before


def test_another_model_leaves_decided_copies_alone(output, tint, strong_tint, gray_folder, decisions):
    first = runs.colorize(tint, output, gray_folder, flags=[decisions])
    second = runs.colorize(strong_tint, output, gray_folder)
    same = {key for key, row in second.rows.items() if row["output_sha256"] == first.rows[key]["output_sha256"] != ""}
    assert same == {ACCEPTED, REJECTED}
    third = runs.colorize(strong_tint, output, gray_folder, flags=["--retry=all"])
    assert third.rows[ACCEPTED]["output_sha256"] != first.rows[ACCEPTED]["output_sha256"]
    assert "decision" not in third.rows[ACCEPTED] and third.rows[REJECTED]["output"] == "images/scans/tall.tif"


def test_rejected_copies_alone_are_redone(output, tint, gray_folder, decisions):
    before = read_rows(output)
    flags = [decisions, "--retry=rejected", "--saturation=0.6"]
    run = runs.colorize(tint, output, gray_folder, flags=flags)
    changed = {key for key, row in run.rows.items() if row["output_sha256"] != before[key]["output_sha256"]}
    assert changed == {REJECTED} and run.counters["num_inferences"] == 1
    assert (run.rows[REJECTED]["status"], run.rows[REJECTED]["decision"]) == ("done", "redone")
    assert not [path for path in (output / "rejected").rglob("*") if path.is_file()]
    assert runs.colorize(tint, output, gray_folder, flags=[decisions]).work[1:] == BROKEN_ALONE
    assert read_rows(output)[REJECTED]["output_sha256"] == run.rows[REJECTED]["output_sha256"]


@pytest.mark.parametrize("flags", [[], ["--accepted_only"]])
def test_bag_leaves_rejected_copies_out(output, tint, gray_folder, decisions, tmp_path, flags):
    runs.colorize(tint, output, gray_folder, flags=[decisions])
    bag.run([str(output), f"--output={tmp_path / 'bag'}", *flags])
    made = bagit.Bag(str(tmp_path / "bag"))
    made.validate()
    copies = {path for path in made.payload_entries() if not path.startswith("data/manifest")}
    assert len(copies) == (1 if flags else 5) and f"data/images/{ACCEPTED}" in copies
    events = (tmp_path / "bag/metadata/premis-00000-of-00001.xml").read_text()
    assert events.count("<premis:eventIdentifier>") == 9 and "rejected/" not in events


def test_review_shows_rejected_copies_among_the_others(output, tint, gray_folder, decisions):
    runs.colorize(tint, output, gray_folder, flags=[decisions])
    review_page.run([str(output)])
    (others,) = (output / "review/data").glob("others-*.js")
    assert '"tall.tif"' in others.read_text() and "too red" in others.read_text()


def test_bad_file_of_decisions_stops_before_any_work(output, tint, gray_folder, tmp_path, capsys):
    (tmp_path / "bad.jsonl").write_text("{}\n")
    before = tree(output)
    argv = [f"--model={tint}", f"--output={output}", f"--input={gray_folder}", f"--decisions={tmp_path / 'bad.jsonl'}"]
    assert cli.main(["colorize", *argv]) == 2
    assert "bad.jsonl, line 1: has no key" in capsys.readouterr().err and tree(output) == before
