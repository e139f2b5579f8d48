"""Copies of the sample photographs are found, and are in the split of their original."""

import json
import pathlib
import random
import time

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

import photochrom
from pipelines import prepare, splits
from pipelines.near_duplicates import find
from tests.support import counters

# One worker prepares the dataset that several tests share.
pytestmark = [pytest.mark.job, pytest.mark.xdist_group("test_near_duplicates")]

SAMPLES = pathlib.Path(photochrom.__file__).parent / "demo_photographs" / "colour"
COPIES = ("crop", "dark", "jpeg", "mirror", "small", "square")
SPLIT = "--split=train=0.5,validation=0.5"
PATTERNS = ("*.tfrecord", "items-*.jsonl", "dataset_info.json", "signatures/*")


def save_copies(path: pathlib.Path, folder: pathlib.Path) -> None:
    """Saves an original and a copy of each kind, under names whose own splits are random."""
    image = Image.open(path).convert("RGB")
    width, height = image.size
    changed = {
        "crop": image.crop((round(0.02 * width), 0, width, round(0.98 * height))),
        "dark": ImageEnhance.Brightness(image).enhance(0.8),
        "jpeg": image,
        "mirror": ImageOps.mirror(image),
        "small": image.resize((round(0.5 * width), round(0.5 * height))),
        "square": ImageOps.fit(image, (200, 200)),  # the middle square, which a record shows
    }
    image.save(folder / f"{path.stem}-original.jpg", quality=95)
    for name, copy in changed.items():
        copy.save(folder / f"{path.stem}-{name}.jpg", quality=40 if name == "jpeg" else 85)


@pytest.fixture(scope="module")
def copies(tmp_path_factory) -> list[pathlib.Path]:
    """Two folders with all sample photographs, each seven times, and a broken file."""
    folder = tmp_path_factory.mktemp("copies")
    for path in sorted(SAMPLES.rglob("*.jpg")):
        save_copies(path, folder)
    paths = sorted(folder.iterdir())
    halves = [folder / "first", folder / "second"]
    for half in halves:
        half.mkdir()
    for i, path in enumerate(paths):
        path.rename(halves[i % 2] / path.name)
    (halves[0] / "broken.jpg").write_bytes((halves[0] / paths[0].name).read_bytes()[:700])
    return halves


def run(folders, output, *flags):
    inputs = [f"--input={folder}" for folder in folders]
    return prepare.run([*inputs, f"--output={output}", "--image_size=32", "--num_shards=2", SPLIT, *flags])


def rows(output, kind="items"):
    return [json.loads(line) for path in sorted(output.glob(f"{kind}-*")) for line in path.read_text().splitlines()]


def contents(output):
    return {path.name: path.read_bytes() for pattern in PATTERNS for path in output.glob(pattern)}


@pytest.fixture(scope="module")
def prepared(copies, tmp_path_factory) -> pathlib.Path:
    output = tmp_path_factory.mktemp("prepared") / "dataset"
    run(copies, output, "--direct_num_workers=2")
    return output


@pytest.fixture(scope="module")
def groups(prepared) -> dict[str, list[str]]:
    """The least key of each group -> keys."""
    found: dict[str, list[str]] = {}
    for row in rows(prepared):
        found.setdefault(row["near_duplicate_of"] or row["key"], []).append(row["key"])
    return found


def test_copies_are_grouped_with_their_original_only(groups):
    originals = {path.stem for path in SAMPLES.rglob("*.jpg")}
    assert len(groups) == len(originals)
    for representative, members in groups.items():
        names = sorted(key.split("/")[1] for key in members)
        stem = names[0].rsplit("-", 1)[0]
        assert names == [f"{stem}-{kind}.jpg" for kind in sorted((*COPIES, "original"))]
        assert representative == min(members)


def test_near_duplicates_share_a_split_and_are_counted(prepared, groups):
    sides = {row["key"]: row["split"] for row in rows(prepared)}
    assert all(len({sides[key] for key in members}) == 1 for members in groups.values())
    assert set(sides.values()) == {"train", "validation"}
    found = json.loads((prepared / "dataset_info.json").read_text())["near_duplicates"]
    alone = {key: splits.side(key, {"train": 0.5, "validation": 0.5}, 0) for key in sides}
    apart = sum(
        alone[one] != alone[other] for members in groups.values() for one in members for other in members if one < other
    )
    assert apart > 50
    assert found == {
        "groups": len(groups), "inputs": len(sides), "largest_group": 7, "across_splits": apart, "overlap": 0
    }  # fmt: skip


def test_copies_follow_their_original_for_every_seed(groups):
    shares, counts = {"train": 0.8, "validation": 0.2}, {"train": 8, "validation": 2}
    for seed in range(100):
        for representative, members in groups.items():
            assigned = [splits.assign(key, shares, counts, seed, representative) for key in members]
            assert {shard.split for shard in assigned} == {splits.side(representative, shares, seed)}


def test_broken_file_is_a_failure_without_group(prepared):
    assert [(row["key"], row["reason"]) for row in rows(prepared, "failures")] == [("first/broken.jpg", "undecodable")]


def test_bytes_do_not_depend_on_workers_or_order(prepared, copies, tmp_path):
    run(copies[::-1], tmp_path / "one", "--direct_num_workers=1", "--direct_running_mode=in_memory")
    assert contents(tmp_path / "one") == contents(prepared)


def test_inputs_without_duplicates_keep_their_key_split(dataset, photo_folder, tmp_path):
    together, _ = dataset
    settings = json.loads((together / "dataset_info.json").read_text())["settings"]
    flags = [f"--{name}={settings[name]}" for name in ("image_size", "split", "num_shards")]
    ignoring = tmp_path / "ignoring"
    prepare.run([f"--input={photo_folder}", f"--output={ignoring}", *flags, "--near_duplicates=ignore"])
    assert rows(together) == rows(ignoring)
    assert all(row["near_duplicate_of"] == "" for row in rows(together))
    shares = splits.parse(settings["split"])
    assert all(row["split"] == splits.side(row["key"], shares, 0) for row in rows(together))
    info = json.loads((ignoring / "dataset_info.json").read_text())
    assert info["near_duplicates"] is None and info["settings"]["near_duplicates"] == "ignore"
    assert not (ignoring / "signatures").exists()


def test_second_run_keeps_signatures_and_shards(prepared, copies):
    before = contents(prepared)
    result = run(copies, prepared)
    counted = counters.of(result)
    assert counted["signatures-kept"] == len(rows(prepared)) + 1
    assert "signatures-written" not in counted and "shards-written" not in counted
    assert contents(prepared) == before


def in_bucket(hashes, bucket=5) -> np.ndarray:
    """Rows of pictures with the ids 0, 1, 2 ... in one bucket."""
    return np.array([(bucket, value, i) for i, value in enumerate(hashes)], find._ROW)


def test_bucket_of_copies_is_connected_in_bounded_time():
    count = 12_000
    started = time.monotonic()
    pairs = find.close_pairs(in_bucket([0] * count)).tolist()
    assert time.monotonic() - started < 20  # all pairs would be 72 million
    assert len(pairs) <= 8 * count
    assert len(set(dict(find.connect((f"{a}", f"{b}") for a, b in pairs)).values())) == 1


def test_close_pairs_needs_close_hashes_in_one_bucket():
    hashes = [0, 0b111, (1 << 60) - 1, (1 << 64) - 1]
    assert find.close_pairs(in_bucket(hashes)).tolist() == [(0, 1), (2, 3)]
    apart = np.concatenate([in_bucket(hashes)[:1], in_bucket(hashes, bucket=6)[1:]])
    assert find.close_pairs(apart).tolist() == [(2, 3)]
    both_orientations = np.concatenate([in_bucket([0]), in_bucket([1])])
    assert find.close_pairs(both_orientations).tolist() == []
    assert find.close_pairs(in_bucket([])).tolist() == []


def test_close_pairs_prefers_the_closest_hashes():
    far, near = [1 << i | 1 << i + 1 for i in range(40, 60)], [1, 2]
    pairs = find.close_pairs(in_bucket([0, *far, *near]))
    with_first = {most for least, most in pairs.tolist() if least == 0}
    assert len(with_first) == 8 and {21, 22} <= with_first


def test_close_pairs_does_not_depend_on_order():
    rng = np.random.default_rng(0)
    rows = in_bucket(rng.integers(0, 1 << 20, 3000).tolist())
    pairs = find.close_pairs(rows).tolist()
    assert pairs == find.close_pairs(rng.permutation(rows)).tolist() and len(pairs) > 3000


def test_connect_joins_chains_under_least_key():
    edges = [("d", "c"), ("x", "y"), ("b", "c"), ("a", "d")]
    expected = {"a": "a", "b": "a", "c": "a", "d": "a", "x": "x", "y": "x"}
    for seed in range(5):
        random.Random(seed).shuffle(edges)
        assert dict(find.connect(edges)) == expected
    assert list(find.connect([])) == []
