"""Both Beam jobs on Prism: same output as the local runner, a second run without changes, a row for a damaged scan."""

import json
import pathlib
import shutil
import sys

import pytest

from photochrom import cli, demo

# tests/clusters is no package: pytest finds its modules by path alone.
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import prism
import trees

pytestmark = [pytest.mark.prism, pytest.mark.xdist_group("prism")]


@pytest.fixture(scope="module")
def flags():
    try:
        return ["--runner=PrismRunner", f"--prism_location={prism.build()}"]
    except prism.Unavailable as error:
        pytest.skip(f"NOT TESTED ON PRISM: {error}")


@pytest.fixture
def scans(tmp_path):
    """The gray samples, and a truncated one."""
    folder = tmp_path / "scans"
    shutil.copytree(demo.SAMPLES / "grayscale", folder)
    whole, broken = folder / "forest-stream.jpg", folder / "broken.jpg"
    broken.write_bytes(whole.read_bytes()[:2000])
    shutil.copystat(whole, broken)  # no row states the version of a recently changed file
    return folder


def test_prepare_matches_local_runner_and_is_idempotent(flags, tmp_path):
    job = ["prepare", f"--input={demo.SAMPLES / 'colour'}", "--num_shards=2"]
    assert cli.main([*job, f"--output={tmp_path / 'prism'}", *flags]) == 0
    assert cli.main([*job, f"--output={tmp_path / 'local'}"]) == 0
    made = trees.contents(tmp_path / "prism")
    assert sum(name.startswith("train-") for name in made) == 2
    assert made == trees.contents(tmp_path / "local")
    times = trees.times(tmp_path / "prism", "*.tfrecord*")
    assert cli.main([*job, f"--output={tmp_path / 'prism'}", *flags]) == 0
    assert trees.contents(tmp_path / "prism") == made
    assert trees.times(tmp_path / "prism", "*.tfrecord*") == times


def test_colorize_matches_local_runner_and_is_idempotent(flags, scans, tint, tmp_path, capsys):
    job = ["colorize", f"--input={scans}", f"--model={tint}", "--max_failures=1"]
    assert cli.main([*job, f"--output={tmp_path / 'prism'}", *flags]) == 0
    assert "7 inputs: 6 done, 0 skipped, 1 failed" in capsys.readouterr().out
    assert cli.main([*job, f"--output={tmp_path / 'local'}"]) == 0
    made = trees.contents(tmp_path / "prism")
    assert made == trees.contents(tmp_path / "local")
    failed = [row for row in rows(tmp_path / "prism") if row.get("status") == "failed"]
    assert [pathlib.Path(row["key"]).name for row in failed] == ["broken.jpg"]
    times = trees.times(tmp_path / "prism", "images/**/*.*")
    assert len(times) == 6
    assert cli.main([*job, f"--output={tmp_path / 'prism'}", *flags]) == 0
    assert trees.times(tmp_path / "prism", "images/**/*.*") == times


def rows(folder):
    return [json.loads(line) for path in folder.glob("manifest/*.jsonl") for line in path.read_text().splitlines()]
