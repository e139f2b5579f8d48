import dataclasses
import datetime
import json

import pytest

from photochrom import errors
from photochrom.model import bundle
from photochrom.sources.source import Source
from photochrom.storage import json_lines
from serving.manifest import layout, reader, writer
from serving.manifest.changes import Before, Changes
from serving.manifest.layout import OutputPaths
from serving.manifest.rows import DONE, FAILED, SKIPPED, Row, Run

RUN = Run(1, "2026-01-31T12:00:00Z", "2026-01-31T12:01:00Z", "1", "tint", "m", "s", 1, 1, 0, 0)


def row(key: str, status: str = DONE, **values) -> Row:
    return Row.of(Source(key, key), status=status, **values)


def write(output, listed, rows, place=(0, 1), run=1, gone=()) -> writer.Shard:
    """Writes a file of rows, after what the folder had before."""
    before = [Before.of(row) for row in read_rows(output)]
    groups = {"listed": listed, "rows": rows, "gone": list(gone), "before": before}
    return writer.write_shard((place, groups), str(output), run)


def read_rows(output) -> list[Row]:
    return [row for _, row in reader.read_rows(str(output))]


def record(output, count: int) -> None:
    """Records finished runs."""
    (output / "manifest").mkdir(exist_ok=True)
    lines = json_lines.encode(dataclasses.replace(RUN, run=i + 1).to_json() for i in range(count))
    (output / layout.RUNS).write_bytes(lines)


def test_shard_has_rows_in_order_of_keys(tmp_path):
    found = write(
        tmp_path, ["c", "a", "b"],
        [row("b"), row("a", FAILED, reason="undecodable"), row("c", SKIPPED, reason="color_input")],
    )  # fmt: skip
    assert found.reasons == {"done:": 1, "failed:undecodable": 1, "skipped:color_input": 1}
    assert [row.key for row in read_rows(tmp_path)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("listed", "keys"), [(["a", "b"], ["a"]), (["a"], ["a", "a"]), (["a"], ["a", "b"]), (["a", "b"], ["b", "c"])]
)
def test_shard_that_does_not_add_up_names_keys(tmp_path, listed, keys):
    with pytest.raises(
        errors.PhotochromError, match=r"does not add up: \d keys without exactly one row, such as \['[abc]'"
    ):
        write(tmp_path, listed, list(map(row, keys)))
    assert not read_rows(tmp_path)


def test_summary_adds_up_and_removes_other_shards(tmp_path):
    old = write(tmp_path, ["z"], [row("z")], place=(1, 2), gone=[row("y")])
    new = write(tmp_path, ["a"], [row("a", FAILED, reason="x")])
    assert old.files == ("items-00001-of-00002.jsonl", "gone-00001-of-00002.jsonl") and old.gone == 1
    summary = writer.write_summary(str(tmp_path), [new])
    assert (tmp_path / layout.SUMMARY).read_text() == (
        '{\n  "listed": 1,\n  "done": 0,\n  "skipped": 0,\n  "failed": 1,\n  "gone": 0,\n  "reasons": {\n'
        '    "failed:x": 1\n  }\n}\n'
    )
    assert OutputPaths(str(tmp_path)).row_files(layout.ALL) == ["items-00000-of-00001.jsonl"]
    assert reader.read_summary(str(tmp_path)) == summary


def test_row_without_a_run_gets_the_next_one(tmp_path):
    record(tmp_path, 2)
    old = {name: value for name, value in row("a").to_json().items() if name != "run"}
    (tmp_path / "manifest/items-00000-of-00001.jsonl").write_text(json.dumps(old) + "\n")
    write(tmp_path, ["a"], [row("a")], run=writer.next_run(str(tmp_path)))
    assert [row.run for row in read_rows(tmp_path)] == [3]


def test_row_made_again_unchanged_keeps_its_run(tmp_path):
    write(tmp_path, ["a", "b"], [row("a", message="x"), row("b", message="x")], run=1)
    touched = dataclasses.replace(row("a", message="x"), source_version="mtime:2")
    write(tmp_path, ["a", "b"], [touched, row("b", message="y")], run=2)
    assert [row.run for row in read_rows(tmp_path)] == [1, 2]


def test_row_keeps_its_run_in_another_number_of_shards(tmp_path):
    write(tmp_path, ["a", "b"], [row("a", message="x"), row("b")], run=1)
    found = write(tmp_path, ["a"], [row("a", message="x")], place=(0, 2), run=2)
    assert [row.run for row in reader.read_file(str(tmp_path), "items-00000-of-00002.jsonl")] == [1]
    assert found.changes == Changes(kept=1, delisted=1)


def test_row_keeps_its_run_in_another_shard(tmp_path):
    record(tmp_path, 2)
    write(tmp_path, ["a", "b"], [row("a", run=2), row("b")], place=(0, 2), run=writer.next_run(str(tmp_path)))
    assert [row.run for row in read_rows(tmp_path)] == [2, 3]


def test_rows_spread_over_shards_by_key():
    assert {writer.shard_of(str(i), 6_000) for i in range(100)} == {(0, 3), (1, 3), (2, 3)}
    assert writer.shard_of("a", 0) == (0, 1)


def test_run_is_recorded_once_though_repeated(tint, tmp_path):
    writer.write_summary(str(tmp_path), [])
    run, started = writer.next_run(str(tmp_path)), datetime.datetime.now(datetime.UTC)
    for _ in range(2):
        writer.add_run(str(tmp_path), run, started, bundle.open_bundle(tint), "sha256:5", Changes(2, 1))
    assert [(one.run, one.new, one.changed) for one in reader.read_runs(str(tmp_path))] == [(1, 2, 1)]
    assert writer.next_run(str(tmp_path)) == 2


def test_row_files_of_a_folder_with_wildcards(output):
    paths = OutputPaths(str(output))
    assert paths.row_files(layout.ITEMS) == ["items-00000-of-00001.jsonl"] and len(read_rows(output)) == 9
    (output / "manifest/items-00000-of-00002.jsonl").write_text("")
    writer.write_summary(str(output), [writer.Shard(("items-00000-of-00001.jsonl",), 9, 0, {})])
    assert paths.row_files(layout.ITEMS) == ["items-00000-of-00001.jsonl"]
