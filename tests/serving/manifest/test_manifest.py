import datetime
import json

import pytest

from photochrom import errors
from photochrom.model import bundle
from photochrom.sources.source import Source
from serving.manifest import manifest


def row(key: str, status: str = manifest.DONE, **values) -> dict:
    return manifest.row(Source(key, key), status, **values)


def test_shard_is_written_in_order_of_keys_with_its_totals(tmp_path):
    rows = [row("b"), row("a", manifest.FAILED, reason="undecodable"), row("c", manifest.SKIPPED, reason="color_input")]
    found = manifest.write_shard(((0, 1), {"listed": ["c", "a", "b"], "rows": rows, "gone": []}), str(tmp_path), 1)
    assert found["counts"] == {"done:": 1, "failed:undecodable": 1, "skipped:color_input": 1}
    assert [r["key"] for r in manifest.read(str(tmp_path))] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("listed", "keys"), [(["a", "b"], ["a"]), (["a"], ["a", "a"]), (["a"], ["a", "b"]), (["a", "b"], ["b", "c"])]
)
def test_a_run_that_does_not_add_up_says_which_keys(tmp_path, listed, keys):
    with pytest.raises(
        errors.PhotochromError, match=r"does not add up: \d keys without exactly one row, such as \['[abc]'"
    ):
        manifest.write_shard(
            ((0, 1), {"listed": listed, "rows": [row(key) for key in keys], "gone": []}), str(tmp_path), 1
        )
    assert not list(manifest.read(str(tmp_path)))


def test_summary_adds_up_and_removes_an_older_cut(tmp_path):
    old = manifest.write_shard(((1, 2), {"listed": ["z"], "rows": [row("z")], "gone": []}), str(tmp_path), 1)
    new = manifest.write_shard(
        ((0, 1), {"listed": ["a"], "rows": [row("a", manifest.FAILED, reason="x")], "gone": []}), str(tmp_path), 1
    )
    summary = manifest.write_summary(str(tmp_path), [new])
    assert summary == {"listed": 1, "done": 0, "skipped": 0, "failed": 1, "gone": 0, "reasons": {"failed:x": 1}}
    assert not (tmp_path / "manifest" / old["files"][0]).exists()
    assert json.loads((tmp_path / "manifest" / "summary.json").read_text()) == manifest.read_summary(str(tmp_path))


def test_a_row_from_before_runs_were_written_down_gets_the_next_one(tmp_path):
    group = {"listed": ["a"], "rows": [row("a")], "gone": []}
    (tmp_path / "manifest").mkdir()
    old = {name: value for name, value in row("a").items() if name != "run"}
    (tmp_path / "manifest/items-00000-of-00001.jsonl").write_text(json.dumps(old) + "\n")
    (tmp_path / "manifest/runs.jsonl").write_text('{"run": 1}\n{"run": 2}\n')
    manifest.write_shard(((0, 1), group), str(tmp_path), manifest.next_run(str(tmp_path)))
    assert [r["run"] for r in manifest.read(str(tmp_path))] == [3]


def test_a_row_keeps_its_run_when_the_files_are_cut_anew(tmp_path):
    (tmp_path / "manifest").mkdir()
    (tmp_path / "manifest/runs.jsonl").write_text('{"run": 1}\n{"run": 2}\n')
    groups = {"listed": ["a", "b"], "rows": [row("a", run=2), row("b")], "gone": []}
    manifest.write_shard(((0, 2), groups), str(tmp_path), manifest.next_run(str(tmp_path)))
    assert [r["run"] for r in manifest.read(str(tmp_path))] == [2, 3]


def test_row_refuses_a_field_that_others_do_not_have():
    with pytest.raises(ValueError, match="a row has no field colour"):
        row("a", colour="red")


def test_rows_spread_over_files_by_key():
    assert {manifest.shard_of(str(i), 6_000) for i in range(100)} == {(0, 3), (1, 3), (2, 3)}
    assert manifest.shard_of("a", 0) == (0, 1)


def test_a_run_is_written_down_once_though_its_step_is_done_again(tint, tmp_path):
    manifest.write_summary(str(tmp_path), [])
    run, started = manifest.next_run(str(tmp_path)), datetime.datetime.now(datetime.UTC)
    for _ in range(2):
        manifest.add_run(str(tmp_path), run, started, bundle.open_bundle(tint), "sha256:5")
    assert [one["run"] for one in manifest.read_runs(str(tmp_path))] == [1]
    assert manifest.next_run(str(tmp_path)) == 2
