"""colorize and prepare with inputs and outputs in a bucket, each of whose answers is late."""

import pathlib
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks import bucket_server, photographs
from photochrom import files

DELAY_SECONDS = 0.05
# Photographs of a run whose time counts as start-up.
_FEW = 16


def throughput_when_late(folder: pathlib.Path, scratch: pathlib.Path, model: str, count: int) -> tuple[float, float]:
    """Returns the throughput of colorize and of prepare with late answers, as a share of that without; start-up aside.

    Args:
        folder: of colour photographs.
        scratch: an empty folder.
        model: bundle for colorize.
        count: photographs.
    """
    colorize = ("serving.colorize", f"--model={model}", "--color_inputs=colorize", "--max_failures=100%")
    with bucket_server.in_use() as server:
        bucket = server.make_bucket("bucket")
        for name, number in (("many", count), ("few", _FEW)):
            photographs.resized(folder, (1000, 800), number, scratch / name)
            files.copy_folder(str(scratch / name), f"{bucket}/{name}")
        shares = []
        for job in (colorize, ("pipelines.prepare",)):
            seconds = [_seconds(server, job, f"{bucket}/{len(shares)}", delay) for delay in (0.0, DELAY_SECONDS)]
            shares.append(seconds[0] / seconds[1])
            print(f"  {job[0]}, {count} photographs: {seconds[0]:.1f} s, late {seconds[1]:.1f} s, start-up aside")
    return shares[0], shares[1]


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
