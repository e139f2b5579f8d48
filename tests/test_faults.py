"""benchmarks/faults in short: the real command, killed, without space, without the right to write."""

import contextlib
import shutil
import sys

import pytest

from benchmarks.faults import full_disks, process_kills, workbench
from photochrom.jobs import output_lock
from photochrom.sources import archive_listing
from photochrom.storage import files
from tests.support import damaged

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc"),
    pytest.mark.xdist_group("faults"),  # one undisturbed run for all
]


@pytest.fixture(scope="module")
def bench(tint, tmp_path_factory) -> workbench.Bench:
    """70 scans, every bad kind among them, colorized undisturbed: their rows are those that the archive must give."""
    return workbench.Bench.make(tmp_path_factory.mktemp("faults"), 70, seed=1, model=tint)


def test_a_run_that_is_killed_three_times_ends_as_if_it_had_not_been(bench):
    outcome = process_kills.killed(bench, 3)
    assert outcome.verdict.is_good, outcome.verdict
    assert outcome.tries >= 2


def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_space(bench):
    outcome = full_disks.full_disk(bench)
    if outcome is None:
        pytest.skip("no mount namespace")
    assert outcome.verdict.is_good, outcome.verdict


def test_every_row_names_a_file_of_the_archive(bench):
    sources = {row["source"] for rows in bench.reference.rows.values() for row in rows}
    assert f"{bench.archive.folder}/roll.tar.gz" in sources
    assert all(source.startswith(f"{bench.archive.folder}/") for source in sources)


def test_an_archive_is_the_same_again(tmp_path):
    first, second = (damaged.make(tmp_path / name / "scans", 30) for name in ("a", "b"))
    names = [sorted(path.relative_to(one.folder) for path in one.folder.rglob("*")) for one in (first, second)]
    assert names[0] == names[1] and first.ends == second.ends
    for name in names[0]:
        if (first.folder / name).is_file() and name.name != "closed.jpg":
            assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()


@pytest.mark.parametrize("damage", ["lost", "half", "stray", "row"])
def test_what_is_wrong_is_found(bench, damage, tmp_path):
    output = tmp_path / "out"
    shutil.copytree(bench.folder / "out000", output)
    copy = sorted((output / "images").rglob("*.jpg"))[0]
    items = next((output / "manifest").glob("items-*"))
    if damage == "lost":
        copy.unlink()
    elif damage == "half":
        copy.write_bytes(copy.read_bytes()[:-9])
    elif damage == "stray":
        (output / f"images/{files.TEMPORARY_MARK}{'0' * 32}").write_bytes(b"half")
    else:
        items.write_text("".join(items.read_text().splitlines(keepends=True)[1:]))
    verdict = bench.judge(output)
    assert (verdict.lost, verdict.half, verdict.rows_missing) == (
        damage == "lost", damage in ("half", "stray"), damage == "row"
    )  # fmt: skip
    assert len(verdict.problems) >= 1  # verify finds it too


def test_a_disk_that_is_full_while_a_tar_is_unpacked_is_not_the_tars_fault(bench):
    path = bench.archive.folder / "roll.tar.gz"
    with open(path, "rb") as file, open("/dev/full", "wb", 0) as full, pytest.raises(OSError, match="No space left"):
        spool = archive_listing.Spool("/dev/full", full, 1 << 30)
        list(archive_listing.list_members(file, str(path), "roll.tar.gz", lambda: contextlib.nullcontext(spool)))


def test_what_threads_of_a_failed_job_leave_is_removed_by_the_next(tmp_path):
    left = tmp_path / f"images/{files.TEMPORARY_MARK}{'0' * 32}"
    with pytest.raises(OSError, match="full"), output_lock.held(str(tmp_path), f"{tmp_path}/.job"):
        files.write_bytes(str(left), b"half")
        raise OSError("full")
    with output_lock.held(str(tmp_path), f"{tmp_path}/.job"):
        assert not left.exists()
