"""`python -m benchmarks.faults --images 10000`: fault injection into colorize, and the resulting losses.

Each fault is injected into the real command on an archive with 3% bad inputs (tests/support/damaged.py). The same
command then resumes, and the folder is compared with that of an undisturbed run: bytes of the copies, rows of the
manifest, other files, `photochrom verify` and `photochrom status`. Prints a table in Markdown; the exit status is 1 if
anything is wrong.
"""

import argparse
import os
import pathlib
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable

from benchmarks.faults import comparison, full_disks, object_store, prepare_kills, process_kills
from benchmarks.faults.comparison import Verdict
from benchmarks.faults.workbench import Bench, Outcome, copies, expect
from tests.support import damaged, tint

_MEMORY_DISK = "needs a mount namespace; not tested"


def changing_sources(bench: Bench, count: int = 6) -> Outcome:
    """Deletes and overwrites scans while they are being colorized, then restores them."""
    output = bench.output()
    loose = [path for path in sorted(bench.archive.folder.glob("folder*/*")) if not path.is_symlink()]
    chosen = bench.rng.sample([path for path in loose if path.name.count("-") == 0], 2 * count)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in chosen}
    run = bench.start(output)
    under_way = run.waits_until(lambda: copies(output) >= 0.1 * bench.archive.done)
    for path in chosen[:count]:
        path.unlink()
    for path in chosen[count:]:
        path.write_bytes(before[chosen[0]][0] + b"more")
    verdict = expect(run, 0)
    rows = comparison.compare(output, bench.reference)
    verdict += Verdict(rows_missing=rows.rows_missing, rows_duplicated=rows.rows_duplicated)  # all were listed before
    for path, (data, stamp) in before.items():
        path.write_bytes(data)
        os.utime(path, ns=(stamp, stamp))
    verdict += bench.continues(output) + bench.compare(output)
    return Outcome(int(under_way) * len(chosen), "scans restored, then the same command", verdict)


def two_runs(bench: Bench) -> Outcome:
    """Starts a second run in the same folder, once in the middle of the first and once at the same moment."""
    output = bench.output()
    run = bench.start(output)
    under_way = run.waits_until(lambda: copies(output) >= 0.2 * bench.archive.done)
    verdict = expect(bench.start(output), 2, "another run is active there")
    verdict += expect(run, 0) + bench.compare(output)
    other = bench.output()
    both = [bench.start(other), bench.start(other)]
    statuses = sorted(one.ends() for one in both)
    verdict += Verdict(problems=() if statuses == [0, 2] else (f"two runs at once ended as {statuses}",))
    return Outcome(1 + int(under_way), "the first continues, the second is refused", verdict + bench.compare(other))


def prepare(bench: Bench, images: int = 300, kills: int = 3) -> Outcome:
    """Kills all processes of a prepare."""
    folder = bench.folder / "prepare"
    folder.mkdir()
    hits, wrong, partial = prepare_kills.killed(folder, images, kills, bench.rng.randrange(1000))
    problems = (f"files that differ: {wrong[:5]}",) if wrong else ()
    return Outcome(hits, "the same command", Verdict(rows_changed=len(wrong), partial=len(partial), problems=problems))


def endless(bench: Bench, timeout: int = 3) -> Outcome:
    """Adds a JPEG that would occupy a decoder for minutes."""
    output, scan = bench.output(), bench.folder / "endless.jpg"
    scan.write_bytes(damaged.endless_jpeg())
    verdict = expect(bench.start(output, f"--input={scan}", f"--image_timeout={timeout}"), 0)
    verdict += comparison.compare(output, bench.reference, {scan.name: ("failed", "decode_timeout")})
    return Outcome(1, "automatic", verdict)


Fault = Callable[[Bench], Outcome | None]
FAULTS: tuple[tuple[str, Fault], ...] = (
    ("SIGTERM", process_kills.stopped),
    ("kill -9 of a decoder's process", process_kills.without_decoder),
    ("kill -9 of one of two worker processes", process_kills.without_worker),
    ("kill -9 of the command alone, not of its workers", process_kills.without_launcher),
    ("disk full", full_disks.full_disk),
    ("disk full while a tar.gz is unpacked", lambda bench: full_disks.full_disk(bench, share=0.02)),
    (
        "disk full, two worker processes",
        lambda bench: full_disks.full_disk(bench, "--direct_running_mode=multi_processing"),
    ),
    ("folder for temporary files full", full_disks.full_temporary),
    ("disk becomes read-only", full_disks.read_only),
    ("folders become unwritable", full_disks.forbidden),
    ("object store answers 503, 429, breaks off, is slow", object_store.failing),
    ("scans deleted and overwritten during the run", changing_sources),
    ("a second run in the same folder", two_runs),
    ("a scan that no decoder finishes", endless),
    ("prepare, 301 photographs: kill -9 of all processes; files of the dataset that differ", prepare),
)


def table_row(name: str, inputs: int, outcome: Outcome | None) -> str:
    """Returns a row of the table; an outcome of None means that the fault was not tested."""
    if outcome is None:
        return f"| {name} | 0 | {inputs:,} | | | | | {_MEMORY_DISK} |"
    found = outcome.verdict
    rows = found.rows_missing + found.rows_duplicated + found.rows_changed
    return (
        f"| {name} | {outcome.tries} | {inputs:,} | {found.lost} | {found.duplicated} | {rows} | {found.partial} | "
        f"{outcome.how} |"
    )


HEADER = (
    "| fault | times | inputs | images lost | images duplicated | rows missing, duplicated or wrong "
    "| partial files left | recovery |\n|---|---|---|---|---|---|---|---|"
)


def main() -> int:
    """Injects every fault, prints the table and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000, help="scans of the archive on which runs are killed")
    parser.add_argument("--kills", type=int, default=20, help="number of kills")
    parser.add_argument("--few", type=int, default=1_000, help="scans of the archive for the other faults")
    parser.add_argument("--only", default="", help="inject only the faults whose names match this regular expression")
    parser.add_argument("--seed", type=int, default=0, help="seed of the archives and moments")
    parser.add_argument(
        "--folder", type=pathlib.Path, help="scratch folder, emptied and kept (default: a temporary one)"
    )
    flags = parser.parse_args()
    if flags.folder:
        shutil.rmtree(flags.folder, ignore_errors=True)
        flags.folder.mkdir(parents=True)
        return _run(flags, flags.folder)
    with tempfile.TemporaryDirectory() as folder:
        return _run(flags, pathlib.Path(folder))


def _run(flags: argparse.Namespace, folder: pathlib.Path) -> int:
    model = tint.make_bundle(folder / "bundle")
    groups: list[tuple[str, int, tuple[tuple[str, Fault], ...]]] = [
        ("many", flags.images, ((KILLED, lambda bench: process_kills.killed(bench, flags.kills)),)),
        ("few", flags.few, FAULTS),
    ]
    rows, problems = [], []
    for place, images, faults in groups:
        chosen = [one for one in faults if re.search(flags.only, one[0])]
        if not chosen:
            continue
        (folder / place).mkdir()
        bench = Bench.make(folder / place, images, flags.seed, model)
        _say(f"{bench.inputs} inputs undisturbed: {sum(bench.seconds):.0f} s")
        for name, fault in chosen:
            began = time.monotonic()
            outcome = fault(bench)
            rows.append(table_row(name, bench.inputs, outcome))
            _say(f"{rows[-1]} {time.monotonic() - began:.0f} s")
            if outcome and not outcome.verdict.is_good:
                problems.append(f"{name}: {outcome.verdict}")
    print("\n".join([HEADER, *rows, *problems]))
    return int(bool(problems))


KILLED = "kill -9 of all processes, at random moments from start-up to the last line of the manifest"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
