"""A short form of benchmarks/faults: the real command, killed and without space."""

import contextlib
import pathlib
import shutil
import sys

import pytest

from benchmarks.faults import __main__ as faults
from benchmarks.faults import full_disks, process_kills, workbench
from photochrom.jobs import output_lock
from photochrom.sources import archive_listing, tar_listing
from photochrom.storage import files
from tests.support import damaged

ROOT = pathlib.Path(__file__).parents[1]
pytestmark = [
    pytest.mark.job,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.xdist_group("faults"),  # all share one undisturbed run
]


@pytest.fixture(scope="module")
def bench(tint, tmp_path_factory) -> workbench.Bench:
    """70 scans, every bad kind included, colorized undisturbed, with the rows expected for the archive."""
    return workbench.Bench.make(tmp_path_factory.mktemp("faults"), 70, seed=1, model=tint)


def test_table_of_docs_has_every_fault():
    lines = (ROOT / "docs/faults.md").read_text().splitlines()
    listed = [line.split("|")[1].strip() for line in lines if line.startswith("|")][2:]
    assert listed == [faults.KILLED, *(name for name, _ in faults.FAULTS)]


def test_killed_run_resumes_to_the_same_output(bench):
    outcome = process_kills.killed(bench, 2)
    assert outcome.verdict.is_good, outcome.verdict
    assert outcome.tries >= 1


def test_full_disk_is_one_line_and_resumable(bench):
    outcome = full_disks.full_disk(bench)
    if outcome is None:
        pytest.skip("no mount namespace")
    assert outcome.verdict.is_good, outcome.verdict


def test_rows_name_files_of_the_archive(bench):
    sources = {row["source"] for rows in bench.reference.rows.values() for row in rows}
    assert f"{bench.archive.folder}/roll.tar.gz" in sources
    assert all(source.startswith(f"{bench.archive.folder}/") for source in sources)


def test_damaged_archive_is_deterministic(tmp_path):
    first, second = (damaged.make(tmp_path / name / "scans", 30) for name in ("a", "b"))
    names = [sorted(path.relative_to(one.folder) for path in one.folder.rglob("*")) for one in (first, second)]
    assert names[0] == names[1] and first.ends == second.ends
    for name in names[0]:
        if (first.folder / name).is_file() and name.name != "closed.jpg":
            assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()


@pytest.mark.parametrize("damage", ["lost", "partial", "stray", "row"])
def test_comparison_detects_damage(bench, damage, tmp_path):
    output = tmp_path / "out"
    shutil.copytree(bench.folder / "out000", output)
    copy = sorted((output / "images").rglob("*.jpg"))[0]
    items = next((output / "manifest").glob("items-*"))
    if damage == "lost":
        copy.unlink()
    elif damage == "partial":
        copy.write_bytes(copy.read_bytes()[:-9])
    elif damage == "stray":
        (output / f"images/{files.TEMPORARY_MARK}{'0' * 32}").write_bytes(b"half")
    else:
        items.write_text("".join(items.read_text().splitlines(keepends=True)[1:]))
    verdict = bench.compare(output)
    assert (verdict.lost, verdict.partial, verdict.rows_missing) == (
        damage == "lost", damage in ("partial", "stray"), damage == "row"
    )  # fmt: skip
    assert len(verdict.problems) >= 1  # verify finds it too


def test_full_spool_disk_is_not_a_broken_tar(bench):
    path = bench.archive.folder / "roll.tar.gz"
    with open(path, "rb") as file, open("/dev/full", "wb", 0) as full, pytest.raises(OSError, match="No space left"):
        spool = tar_listing.Spool("/dev/full", full, 1 << 30)
        list(archive_listing.list_members(file, str(path), "roll.tar.gz", lambda: contextlib.nullcontext(spool)))


def test_next_run_removes_files_of_failed_threads(tmp_path):
    left = tmp_path / f"images/{files.TEMPORARY_MARK}{'0' * 32}"
    with pytest.raises(OSError, match="full"), output_lock.held(str(tmp_path), f"{tmp_path}/.job"):
        files.write_bytes(str(left), b"half")
        raise OSError("full")
    with output_lock.held(str(tmp_path), f"{tmp_path}/.job"):
        assert not left.exists()
