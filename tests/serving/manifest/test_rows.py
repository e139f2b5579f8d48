"""The schema of rows, notes, runs and totals: the bytes of their JSON, and refused values."""

import dataclasses
import json

import pytest

from photochrom import errors
from photochrom.sources.source import Source
from photochrom.storage import json_lines
from serving.manifest import rows
from serving.manifest.rows import Begun, MadeWith, Outcome, Row, Run, Summary

MADE_WITH = MadeWith("aa" * 32, "sha256:m", "sha256:s")
DONE = Row.of(
    Source("s/a.jpg", "/in/s/a.jpg", size=7, version="mtime:1"), MADE_WITH, output="images/s/a.jpg",
    output_sha256="bb" * 32, sidecars={"images/s/a.jpg.xmp": "cc" * 32}, notes=("n",), confidence=0.5,
    date="2026-01-31",
)  # fmt: skip
LINE = (
    '{"chroma": 0.0, "confidence": 0.5, "date": "2026-01-31", "format": "", "height": 0, "key": "s/a.jpg", "kind": "", '
    '"message": "", "model_digest": "sha256:m", "notes": ["n"], "output": "images/s/a.jpg", "output_sha256": "BB", '
    '"pages": 1, "reason": "", "run": 0, "settings_digest": "sha256:s", "sidecars": {"images/s/a.jpg.xmp": "CC"}, '
    '"source": "/in/s/a.jpg", "source_bytes": 7, "source_sha256": "AA", "source_version": "mtime:1", "spread": 0.0, '
    '"stage": "", "status": "done", "width": 0}\n'
)
LINE = LINE.replace("AA", "aa" * 32).replace("BB", "bb" * 32).replace("CC", "cc" * 32)
RUN = Run(1, "2026-01-31T12:00:00Z", "2026-01-31T12:01:05Z", "1", "tint", "m", "s", 3, 1, 1, 1)


def test_row_has_the_bytes_of_earlier_versions():
    assert json_lines.encode([DONE.to_json()]).decode() == LINE
    assert Row.from_json(json.loads(LINE)) == DONE


def test_row_of_older_versions_is_read():
    later = ("source", "source_bytes", "source_version", "pages", "sidecars", "date", "height", "width", "kind",
             "chroma", "spread", "run")  # fmt: skip
    old = {name: value for name, value in DONE.to_json().items() if name not in later}
    found = Row.from_json(json.loads(json.dumps(old)))
    assert found == Row(**{**old, "notes": ("n",)}) and (found.pages, found.run, found.date) == (1, 0, "")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"status": "lost"}, "status is 'lost', expected done, skipped or failed"),
        ({"status": None}, "status is 'None', expected a text"),
        ({"reason": "\x1b[0m"}, "reason is"),
        ({"kind": "a" * 41}, "kind is"),
        ({"message": "\ud800"}, "message is .* expected a text"),
        ({"decision": "kept"}, "decision is 'kept', expected accepted, rejected, redone or none"),
        ({"pages": 0}, "pages is 0, expected 1 to 10000"),
        ({"pages": 10**18}, "pages is"),
        ({"run": True}, "run is 'True', expected a whole number of at least 0"),
        ({"height": -1}, "height is '-1', expected a whole number"),
        ({"confidence": "0.5"}, "confidence is '0.5', expected a number"),
        ({"notes": "n"}, "notes is 'n', expected a list of texts"),
        ({"notes": [5]}, "notes is"),
        ({"sidecars": {"images/a": 5}}, "sidecars is .* expected an object of texts"),
        ({"date": "2026-01-31<b>"}, "date is"),
        ({"output_sha256": "none"}, "images/s/a.jpg: its row has no SHA-256"),
        ({"sidecars": {"images/s/../../../x": "0" * 64}}, "expected a path below images/, in the row of s/a.jpg"),
        ({"output": "/etc/passwd"}, "/etc/passwd: expected a path below images/"),
    ],
)
def test_row_refuses_values_that_colorize_never_writes(values, words):
    with pytest.raises(ValueError, match=words):
        Row.from_json({**json.loads(LINE), **values})


@pytest.mark.parametrize("value", [None, [], "row", 5, {}, {"key": "a"}, {"key": "a", "status": "done"}])
def test_row_refuses_what_is_no_row(value):
    with pytest.raises(ValueError, match=r"expected a JSON object|has no (key|status|reason)"):
        Row.from_json(value)


def test_row_has_no_other_fields():
    with pytest.raises(TypeError, match="colour"):
        Row.of(Source("a", "a"), colour="red")


def test_failed_or_skipped_row_has_no_date():
    failed = DONE.failed(errors.DecodeError("bad"))
    assert (failed.status, failed.reason, failed.stage, failed.message) == ("failed", "undecodable", "decode", "bad")
    assert failed.date == DONE.skipped("blank", "screen", "m").date == "" and failed.made_with == MADE_WITH


def test_outcome_has_the_earlier_paths_without_its_own():
    outcome = Outcome.of(DONE, {"images/old", *DONE.paths, "images/a"})
    assert outcome.obsolete == ("images/a", "images/old")
    assert Outcome.of(DONE.failed(errors.ReadError("x")), {"images/old"}).obsolete == ()  # a copy is better than none


def test_notes_round_trip():
    failed = Outcome.of(DONE.failed(errors.ReadError("x")))
    for note in (Outcome(DONE, ("images/x",)), Outcome(DONE), failed, Begun.of(DONE)):
        assert rows.note_from_json(json.loads(json.dumps(note.to_json()))) == note
    assert json_lines.encode([Outcome(DONE, ("images/x",)).to_json()]).decode() == LINE.replace(
        '"output":', '"obsolete": ["images/x"], "output":'
    )
    assert "obsolete" not in failed.to_json()
    assert json_lines.encode([Begun.of(DONE).to_json()]).decode() == (
        f'{{"date": "2026-01-31", "key": "s/a.jpg", "model_digest": "sha256:m", "settings_digest": "sha256:s", '
        f'"source_sha256": "{"aa" * 32}", "status": "begun"}}\n'
    )


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"status": "begun", "key": "a"},
        {**Begun.of(DONE).to_json(), "date": "<b>"},
        {**DONE.to_json(), "notes": [], "obsolete": "images/x"},
        {**DONE.to_json(), "notes": [], "obsolete": ["images/../../x"]},
        {**DONE.to_json(), "notes": [], "obsolete": ["images/"]},
    ],
)
def test_note_that_colorize_never_writes_is_refused(value):
    with pytest.raises(ValueError, match=r"expected|has no"):
        rows.note_from_json(value)


def test_run_states_its_seconds():
    assert RUN.seconds == 65 and Run.from_json(RUN.to_json()) == RUN


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"finished": "yesterday"}, "does not match format"),
        ({"model_name": []}, "model_name is"),
        ({"listed": "9"}, "listed is '9'"),
    ],
)
def test_run_refuses_values_that_colorize_never_writes(values, words):
    with pytest.raises(ValueError, match=words):
        Run.from_json({**RUN.to_json(), **values})


def test_summary_adds_up_each_status():
    summary = Summary.of(4, {"skipped:blank": 1, "done:": 2, "failed:x": 1}, gone=1)
    assert summary.totals() == {"listed": 4, "done": 2, "skipped": 1, "failed": 1}
    assert list(summary.lines("out")) == [
        "out: 4 inputs: 2 done, 1 skipped, 1 failed",
        "  failed          1  x",
        "  skipped         1  blank",
        "  gone            1  no longer in the input; their copies are kept",
    ]
    old = {name: value for name, value in summary.to_json().items() if name != "gone"}
    assert Summary.from_json(old) == dataclasses.replace(summary, gone=0)
