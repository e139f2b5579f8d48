"""colorize and prepare with inputs and outputs in a bucket, each of whose answers is late."""

import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks import bucket_server, photographs
from photochrom import files

DELAY_SECONDS = 0.05
# Photographs of a run whose time counts as start-up.
_FEW = 16


def throughput_when_late(
    folder: pathlib.Path, scratch: pathlib.Path, model: str, count: int, repeats: int = 3
) -> tuple[float, float]:
    """Returns the throughput of colorize and of prepare with late answers, as a share of that without; start-up aside.

    Runs with and without alternate, so that what else the machine does meets both; the medians count.

    Args:
        folder: of colour photographs.
        scratch: an empty folder.
        model: bundle for colorize.
        count: photographs.
        repeats: pairs of runs of each job.
    """
    shares = []
    with bucket_server.in_use() as server:
        bucket = server.make_bucket("bucket")
        for name, number in (("many", count), ("few", _FEW)):
            photographs.resized(folder, (1000, 800), number, scratch / name)
            files.copy_folder(str(scratch / name), f"{bucket}/{name}")
        for job in (_colorize(model), ("pipelines.prepare",)):
            trials = [
                [_seconds(server, job, f"{bucket}/{len(shares)}-{trial}", delay) for delay in (0.0, DELAY_SECONDS)]
                for trial in range(repeats)
            ]
            at_hand, late = map(statistics.median, zip(*trials, strict=True))
            shares.append(at_hand / late)
            seconds = ", ".join(f"{one:.1f} and {other:.1f}" for one, other in trials)
            print(f"  {job[0]}, {count} photographs, s at hand and late, start-up aside: {seconds}")
    return shares[0], shares[1]


def _colorize(model: str) -> tuple[str, ...]:
    return ("serving.colorize", f"--model={model}", "--color_inputs=colorize", "--max_failures=100%")


def _seconds(server: bucket_server.BucketServer, job: Sequence[str], output: str, delay: float) -> float:
    """Returns what a job takes for many photographs more than for a few."""
    server.clear()
    server.delay = delay
    bucket, taken = output.rpartition("/")[0], {}
    for name in ("few", "many"):
        started = time.monotonic()
        command = [sys.executable, "-m", *job, f"--input={bucket}/{name}", f"--output={output}-{delay}-{name}"]
        subprocess.run(command, check=True, capture_output=True)
        taken[name] = time.monotonic() - started
    return taken["many"] - taken["few"]
