"""The plan of a shard, and the decision to keep or rewrite it."""

import dataclasses
import json
import pathlib

import pytest

from photochrom.dataset import Shard
from photochrom.sources.source import Source
from pipelines import shards
from pipelines.config import PrepareConfig
from pipelines.shards import ShardSummary

SHARD = Shard("train", 0, 2)
NAME = SHARD.name


@pytest.fixture
def sources(photo_folder, tmp_path) -> list[Source]:
    """Six photographs and a broken file."""
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"broken")
    paths = [*sorted((photo_folder / "coffee").iterdir()), broken]
    return [Source(path.name, str(path), version="1") for path in paths]


@pytest.fixture
def config(tmp_path) -> PrepareConfig:
    return PrepareConfig(("x",), str(tmp_path / "out"), image_size=32)


def write(config, sources, representatives=None) -> ShardSummary:
    writer = shards.WriteShard(config, str(pathlib.Path(config.output) / "progress"))
    writer.setup()
    (summary,) = writer.process((tuple(SHARD), sources), representatives or {})
    writer.teardown()
    return summary


def written_files(config) -> dict[str, tuple[int, bytes]]:
    """Returns time of modification and content of each file of the shard."""
    folder = pathlib.Path(config.output)
    paths = [path for path in folder.rglob(f"*{NAME}*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}


def read_rows(config, kind: str) -> list[dict]:
    text = (pathlib.Path(config.output) / f"{kind}-{NAME}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_plan_orders_by_digest_and_drops_repeats(sources):
    planned = shards.plan([*sources, sources[2]])
    assert shards.plan(sources[::-1]) == planned
    assert sorted(source.key for source in planned) == sorted(source.key for source in sources)
    assert [source.key for source in planned] != sorted(source.key for source in planned)


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        (lambda sources, config: (sources, {}, dataclasses.replace(config, image_timeout=3)), True),
        (lambda sources, config: (sources, {}, dataclasses.replace(config, output="other")), True),
        (lambda sources, config: (sources, {}, dataclasses.replace(config, image_size=64)), False),
        (lambda sources, config: (sources, {}, dataclasses.replace(config, compression="gzip")), False),
        (lambda sources, config: (sources[1:], {}, config), False),
        (lambda sources, config: ([dataclasses.replace(sources[0], version="2"), *sources[1:]], {}, config), False),
        (lambda sources, config: (sources, {"0.jpg": "0.jpg", "1.jpg": "0.jpg"}, config), False),
    ],
)
def test_plan_digest_covers_all_that_decides_bytes(sources, config, change, is_same):
    before = shards.plan_digest(sources, {}, config)
    assert (shards.plan_digest(*change(sources, config)) == before) is is_same


def test_write_shard_counts_records_and_failures(sources, config):
    summary = write(config, sources, {"0.jpg": "0.jpg", "1.jpg": "0.jpg"})
    assert (summary.name, summary.split, summary.file) == (NAME, "train", f"{NAME}.tfrecord")
    assert (summary.inputs, summary.examples, summary.refused) == (7, 6, {"decode:not_an_image": 1})
    assert sorted(summary.near_duplicates) == [["0.jpg", "0.jpg"], ["1.jpg", "0.jpg"]]
    items = read_rows(config, "items")
    assert [(item["split"], item["shard"], item["position"]) for item in items] == [
        ("train", NAME, i) for i in range(6)
    ]
    assert {item["key"]: item["near_duplicate_of"] for item in items if item["near_duplicate_of"]} == {"1.jpg": "0.jpg"}
    assert [record.key for record in shards.read_records(summary.file, config)] == [item["key"] for item in items]
    assert [row["key"] for row in read_rows(config, "failures")] == ["broken.jpg"]


def test_summary_survives_a_round_trip(sources, config):
    summary = write(config, sources)
    stored = (pathlib.Path(config.output) / "shards" / f"{NAME}.json").read_bytes()
    assert ShardSummary.from_json(stored) == summary and summary.to_json() == stored


def test_shard_of_the_same_plan_is_kept(sources, config):
    first = write(config, sources)
    before = written_files(config)
    assert len(before) == 4
    assert write(config, sources[::-1]) == first
    assert written_files(config) == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / f"{NAME}.tfrecord").unlink(),
        lambda folder: (folder / f"items-{NAME}.jsonl").unlink(),
        lambda folder: (folder / f"failures-{NAME}.jsonl").unlink(),
        lambda folder: (folder / f"shards/{NAME}.json").unlink(),
        lambda folder: (folder / f"shards/{NAME}.json").write_text("{"),
        lambda folder: (folder / f"shards/{NAME}.json").write_text("[]"),
        lambda folder: (folder / f"shards/{NAME}.json").write_text("{}"),
    ],
)
def test_incomplete_shard_is_rewritten(sources, config, damage):
    write(config, sources)
    before = written_files(config)
    damage(pathlib.Path(config.output))
    write(config, sources)
    after = written_files(config)
    assert {name: content for name, (_, content) in after.items()} == {
        name: content for name, (_, content) in before.items()
    }
    assert all(after[name][0] > time for name, (time, _) in before.items())


def test_shard_of_another_plan_is_rewritten(sources, config):
    write(config, sources)
    assert write(config, sources[:-1]).inputs == 6
    assert not (pathlib.Path(config.output) / f"failures-{NAME}.jsonl").exists()
    assert len(read_rows(config, "items")) == 6


@pytest.mark.parametrize(("refused", "expected"), [({}, ["items"]), ({"decode:undecodable": 1}, ["items", "failures"])])
def test_row_files_include_failures_if_any(config, refused, expected):
    summary = ShardSummary(NAME, f"{NAME}.tfrecord", "train", 1, 2, refused, [], "", "")
    assert shards.row_files(summary, config) == [f"{config.output}/{kind}-{NAME}.jsonl" for kind in expected]
