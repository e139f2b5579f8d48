"""Faults of an object store: the copies are written to a bucket behind a proxy with planned failures."""

from benchmarks.faults import comparison
from benchmarks.faults.command_runs import Run
from benchmarks.faults.workbench import Bench, Outcome, expect
from photochrom.storage import files
from tests.support import bucket_server
from tests.support.bucket_server import CUT, LOST, RESET

_KINDS = ("503", "429", RESET, LOST, CUT)
_SLOW_SECONDS = 0.02


def failing(bench: Bench, every: int = 9) -> Outcome:
    """Lets every n-th request fail (n = `every`), delays all, and kills all processes of the first run."""
    with bucket_server.in_use() as server:
        output = f"{server.make_bucket('bucket')}/coloured"
        server.fault, server.delay = bucket_server.every(every, *_KINDS), _SLOW_SECONDS
        run = bench.start(output)
        run.waits_until(lambda: _count_copies(server) >= 0.3 * bench.archive.done)
        run.kill()
        verdict = bench.continues(output)
        for command in ("verify", "status"):
            verdict += expect(Run([command, output], bench.folder / f"log{next(bench.numbers):03d}"), 0)
        failed = len(server.requests) // every
        server.clear()
        local = bench.output()
        files.copy_folder(output, str(local))
        verdict += comparison.compare(local, bench.reference)
        return Outcome(failed, "automatic; after a kill -9, the same command", verdict)


def _count_copies(server: bucket_server.BucketServer) -> int:
    return sum(request.method == "POST" and b"coloured/images/" in request.body[:1000] for request in server.requests)
