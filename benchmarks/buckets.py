"""colorize and prepare with inputs and outputs in a bucket: cost of latency, and requests for the members of a zip."""

import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks import photographs
from photochrom.storage import files
from tests.support import bucket_server

LATENCY_SECONDS = 0.05
# Photographs of the run that measures the start-up.
_FEW = 16


def throughput_with_latency(
    folder: pathlib.Path, scratch: pathlib.Path, model: str, count: int, repeats: int = 3
) -> tuple[float, float]:
    """Returns the throughput of colorize and of prepare with latency as a share of that without, start-up excluded.

    Runs with and without latency alternate, so that other load affects both; the medians count.

    Args:
        folder: with colour photographs.
        scratch: an empty folder.
        model: bundle for colorize.
        count: photographs for colorize. prepare is some ten times as fast, and gets ten times as many.
        repeats: pairs of runs of each job.
    """
    shares = []
    with bucket_server.in_use() as server:
        bucket = server.make_bucket("bucket")
        for name, number in (("colorize", count), ("prepare", 10 * count), ("few", _FEW)):
            photographs.resized(folder, (1000, 800), number, scratch / name)
            files.copy_folder(str(scratch / name), f"{bucket}/{name}")
        for many, job in (("colorize", _colorize(model)), ("prepare", ("pipelines.prepare",))):
            trials = [
                [_seconds(server, job, bucket, many, f"out-{many}-{trial}", delay) for delay in (0.0, LATENCY_SECONDS)]
                for trial in range(repeats)
            ]
            fast, slow = map(statistics.median, zip(*trials, strict=True))
            shares.append(fast / slow)
            seconds = ", ".join(f"{one:.1f} and {other:.1f}" for one, other in trials)
            print(f"  {many}, s without and with latency, start-up excluded: {seconds}")
    return shares[0], shares[1]


def requests_of_a_zip(
    folder: pathlib.Path, scratch: pathlib.Path, model: str, small: int, large: int
) -> dict[str, tuple[float, float]]:
    """Returns for colorize and prepare the requests for each member of a zip, and the bytes read for each byte of it.

    Args:
        folder: with colour photographs.
        scratch: an empty folder.
        model: bundle for colorize.
        small: members of 320x240 px, some 20 KB.
        large: members of 5000x3600 px, 1 MB and more. All are shuffled, stored and deflated; their names are unrelated
            to their positions.
    """
    found = {}
    with bucket_server.in_use() as server:
        path = f"{server.make_bucket('bucket')}/a.zip"
        small_paths = photographs.resized(folder, (320, 240), small, scratch / "small")
        large_paths = photographs.resized(folder, (5000, 3600), large, scratch / "large")
        photographs.packed([*small_paths, *large_paths], scratch / "a.zip")
        files.copy(str(scratch / "a.zip"), path)
        for job in (_colorize(model), ("pipelines.prepare",)):
            server.clear()
            _run(job, path, f"{path.rpartition('/')[0]}/{job[0]}")
            ranges = _ranges(server, "a.zip")
            found[job[0]] = len(ranges) / (small + large), sum(ranges) / files.stat(path).size
            print(f"  {job[0]}: {found[job[0]][0]:.2f} requests a member, {found[job[0]][1]:.2f} bytes for each byte")
    return found


def _ranges(server: bucket_server.BucketServer, name: str) -> list[int]:
    """Returns the number of bytes that each request for an object asked for."""
    asked = (request.headers.get("range", "") for request in server.requests if name in request.path)
    bounds = (asked_for.removeprefix("bytes=").split("-") for asked_for in asked if asked_for)
    return [int(last) - int(first) + 1 for first, last in bounds]


def _colorize(model: str) -> tuple[str, ...]:
    return ("serving.colorize", f"--model={model}", "--color_inputs=colorize", "--max_failures=100%")


def _seconds(
    server: bucket_server.BucketServer, job: Sequence[str], bucket: str, many: str, output: str, delay: float
) -> float:
    """Returns the duration of a job on many photographs minus that on a few."""
    server.clear()
    server.delay = delay
    taken = {}
    for name in ("few", many):
        started = time.monotonic()
        _run(job, f"{bucket}/{name}", f"{bucket}/{output}-{delay}-{name}")
        taken[name] = time.monotonic() - started
    return taken[many] - taken["few"]


def _run(job: Sequence[str], source: str, output: str) -> None:
    command = [sys.executable, "-m", *job, f"--input={source}", f"--output={output}"]
    subprocess.run(command, check=True, capture_output=True)
