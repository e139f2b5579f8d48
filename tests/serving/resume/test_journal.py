import dataclasses

import pytest

from photochrom.sources.source import Source
from serving.manifest import reader
from serving.manifest.layout import OutputPaths
from serving.manifest.rows import Begun, MadeWith, Outcome, Row
from serving.resume import journal
from serving.scans import Candidate

ROW = Row.of(Source("a", "a"), MadeWith("aa" * 32, "sha256:m", "sha256:s"), date="2026-01-31")


def notes(output) -> list:
    return [note for name in reader.note_files(str(output)) for note in reader.read_notes(str(output), name)]


def run(step, elements) -> list:
    step.start_bundle()
    found = [one for element in elements for one in step.process(element)]
    step.finish_bundle()
    return found


def test_outcomes_are_noted_and_passed_on(tmp_path):
    outcomes = [Outcome(dataclasses.replace(ROW, key=str(i)), (f"images/{i}",)) for i in range(3)]
    assert run(journal.NoteOutcomes(str(tmp_path)), outcomes) == outcomes
    assert notes(tmp_path) == outcomes and reader.noted(str(tmp_path)) == 3


@pytest.mark.parametrize(("name", "value", "files"), [("_ROWS", 2, 3), ("_SECONDS", 0.0, 5), ("_ROWS", 200, 1)])
def test_notes_are_written_every_few_rows_or_seconds(tmp_path, monkeypatch, name, value, files):
    monkeypatch.setattr(journal, name, value)
    run(journal.NoteOutcomes(str(tmp_path)), [Outcome(dataclasses.replace(ROW, key=str(i))) for i in range(5)])
    assert len(list(reader.note_files(str(tmp_path)))) == files and len(notes(tmp_path)) == 5


def test_batch_notes_only_copies_that_it_may_overwrite(tmp_path):
    again = Candidate(None, dataclasses.replace(ROW, key="b"), frozenset({"images/b"}))
    batch = [Candidate(None, ROW), again]
    assert list(journal.NoteBegun(str(tmp_path)).process(batch)) == [batch]
    assert notes(tmp_path) == [Begun.of(again.row)] and reader.noted(str(tmp_path)) == 0


def test_no_note_writes_no_file(tmp_path):
    journal.note(str(tmp_path), [])
    assert not list(tmp_path.iterdir())
    journal.note(str(tmp_path), [Begun.of(ROW)])
    journal.clear(str(tmp_path))
    assert not (tmp_path / "manifest/pending").exists() and OutputPaths(str(tmp_path)).pending.endswith("/pending")
