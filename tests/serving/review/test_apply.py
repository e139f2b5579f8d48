import dataclasses
import hashlib

import pytest

from photochrom import errors
from photochrom.sources.source import Source
from photochrom.storage import json_lines
from serving.manifest import layout, reader
from serving.manifest.layout import OutputPaths
from serving.manifest.rows import ACCEPTED, REDONE, REJECTED, Row
from serving.review import apply
from serving.review.decisions import ACCEPT, REJECT, Decision, Decisions

ITEMS = "items-00000-of-00001.jsonl"
COPY, SIDECAR = b"copy", b"sidecar"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def decided(decision: str, key: str = "a.jpg", copy: bytes = COPY, reviewer: str = "Ada") -> Decisions:
    one = Decision(key, sha256(copy), decision, "too red", reviewer, "2026-01-31T12:00:00Z")
    return Decisions({key: (one,)})


@pytest.fixture
def output(tmp_path):
    """A finished run's folder of one copy with a sidecar."""
    sidecars = {"images/a.jpg.xmp": sha256(SIDECAR)}
    row = Row.of(
        Source("a.jpg", "a.jpg"),
        output="images/a.jpg",
        output_sha256=sha256(COPY),
        sidecars=sidecars,
        date="2026-01-31",
    )
    for name, data in (("images/a.jpg", COPY), ("images/a.jpg.xmp", SIDECAR)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "manifest").mkdir()
    write(tmp_path, row)
    return tmp_path


def write(output, row: Row) -> None:
    path = OutputPaths(str(output)).at(layout.row_file(ITEMS))
    with open(path, "wb") as file:
        file.write(json_lines.encode([row.to_json()]))


def read(output) -> Row:
    ((_, row),) = reader.read_rows(str(output))
    return row


def files(output) -> set[str]:
    folders = (output / "images", output / "rejected")
    return {path.relative_to(output).as_posix() for folder in folders for path in folder.rglob("*") if path.is_file()}


def test_rejected_copy_is_set_aside(output):
    applied = apply.apply(str(output), decided(REJECT))
    row = read(output)
    assert files(output) == set(row.paths) == {"rejected/a.jpg", "rejected/a.jpg.xmp"}
    assert (row.status, row.reason, row.message, row.decision) == ("skipped", "rejected", "too red", REJECTED)
    assert row.date == "2026-01-31" and row.output_sha256 == sha256(COPY)
    assert list(applied.lines("out")) == ["decisions: 0 accepted, 1 rejected and set aside in out/rejected"]


def test_accepted_copy_is_marked(output):
    before = read(output)
    assert apply.apply(str(output), decided(ACCEPT)).accepted == 1
    assert read(output) == dataclasses.replace(before, decision=ACCEPTED)


def test_rejected_copy_returns_when_it_is_accepted(output):
    before = read(output)
    apply.apply(str(output), decided(REJECT))
    apply.apply(str(output), decided(ACCEPT))
    assert read(output) == dataclasses.replace(before, decision=ACCEPTED)
    assert files(output) == {"images/a.jpg", "images/a.jpg.xmp"}


def test_decisions_apply_again_after_a_kill(output):
    apply.apply(str(output), decided(REJECT))
    before = read(output)
    (output / "images/a.jpg").write_bytes(COPY)  # its deletion was lost
    assert apply.apply(str(output), decided(REJECT)).rejected == 1
    assert read(output) == before and files(output) == {"rejected/a.jpg", "rejected/a.jpg.xmp"}


@pytest.mark.parametrize(
    ("values", "found", "why"),
    [
        ({}, decided(REJECT, copy=b"other"), "about another version of the copy"),
        ({}, Decisions({"a.jpg": (*decided(REJECT).of_key["a.jpg"], *decided(ACCEPT, reviewer="Eve").of_key["a.jpg"])}),
         "reviewers differ"),
        ({"reason": "copied"}, decided(REJECT), "the copy is the scan itself"),
        ({"sidecars": {"images/a.jpg.xmp": "0" * 64}}, decided(REJECT), "missing or was changed"),
    ],
    ids=["stale", "conflict", "copied", "changed"],
)  # fmt: skip
def test_decision_without_effect_is_reported(output, values, found, why):
    row = dataclasses.replace(read(output), **values)
    write(output, row)
    applied = apply.apply(str(output), found)
    (line,) = list(applied.lines("out"))[1:]
    assert "1 without effect" in line and why in line and line.endswith(": a.jpg")
    assert read(output) == row and files(output) == {"images/a.jpg", "images/a.jpg.xmp"}


def test_decision_that_led_to_a_redone_copy_is_not_stale(output):
    write(output, dataclasses.replace(read(output), decision=REDONE))
    assert apply.apply(str(output), decided(REJECT, copy=b"before")).ignored == {}


def test_unfinished_run_is_finished_first(output):
    (output / "manifest/pending").mkdir()
    (output / "manifest/pending" / f"{'0' * 32}.jsonl").write_text("")
    with pytest.raises(errors.UsageError, match="repeat its command without --decisions first"):
        apply.apply(str(output), decided(REJECT))
