"""Faults of the file system: no space, no write permission."""

from benchmarks.faults import command_runs, comparison
from benchmarks.faults.workbench import Bench, Outcome, copies, expect
from tests.support import damaged


def full_disk(bench: Bench, *flags: str, share: float = 0.5) -> Outcome | None:
    """Fills the output's disk, which holds `share` of the required bytes; enlarges it and resumes."""
    needed = sum(-(-size // 4096) * 4096 for size in _sizes(bench))
    with command_runs.disk(bench.folder / "disk", int(share * needed)) as disk:
        if disk is None:
            return None
        output = disk.folder / "out"
        verdict = expect(bench.start(output, *flags, prefix=disk.prefix), 1, f"no space left on {output} (")
        verdict += bench.torn(disk.seen / "out")
        disk.remount(f"size={8 * needed + (16 << 20)}")
        verdict += bench.continues(output, *flags, prefix=disk.prefix)
        verdict += bench.compare(output, disk.seen / "out", disk.prefix)
    return Outcome(1, "space, then the same command", verdict)


def _sizes(bench: Bench) -> list[int]:
    output = bench.folder / "out000"
    return [path.stat().st_size for path in output.rglob("*") if path.is_file()]


def full_temporary(bench: Bench) -> Outcome | None:
    """Fills the folder for temporary files, in which the copies of large scans are assembled."""
    output, scan = bench.output(), bench.folder / "large.tif"
    scan.write_bytes(damaged.large_tiff())
    with command_runs.disk(bench.folder / "tmp", 1 << 20) as disk:
        if disk is None:
            return None
        prefix = (*disk.prefix, "env", f"TMPDIR={disk.folder}")
        run = bench.start(output, f"--input={scan}", prefix=prefix)
        verdict = expect(run, 1, f"no space left on {disk.folder}, the folder for temporary files") + bench.torn(output)
        verdict += bench.continues(output, f"--input={scan}")
    verdict += comparison.compare(output, bench.reference, {scan.name: damaged.DONE})
    return Outcome(1, "space, then the same command", verdict)


def read_only(bench: Bench) -> Outcome | None:
    """Makes the output's disk read-only during the run, as the kernel does when a disk fails."""
    with command_runs.disk(bench.folder / "disk", 1 << 30) as disk:
        if disk is None:
            return None
        output, seen = disk.folder / "out", disk.seen / "out"
        run = bench.start(output, prefix=disk.prefix)
        under_way = run.waits_until(lambda: copies(seen) >= 0.3 * bench.archive.done)
        disk.remount("ro")
        verdict = expect(run, 1, f"{output} (") + bench.torn(seen)
        disk.remount("rw")
        verdict += bench.continues(output, prefix=disk.prefix) + bench.compare(output, seen, disk.prefix)
    return Outcome(int(under_way), "write access, then the same command", verdict)


def forbidden(bench: Bench) -> Outcome | None:
    """Removes write permission from the output's folders during the run."""
    if not command_runs.permissions_hold():
        return None
    output = bench.output()
    run = bench.start(output)
    under_way = run.waits_until(lambda: copies(output) >= 0.3 * bench.archive.done)
    folders = [path for path in [*(output / "images").rglob("*"), output / "images"] if path.is_dir()]
    for path in folders:
        path.chmod(0o555)
    verdict = expect(run, 1, "permission denied") + bench.torn(output)
    for path in folders:
        path.chmod(0o755)
    verdict += bench.continues(output) + bench.compare(output)
    return Outcome(int(under_way), "write access, then the same command", verdict)
