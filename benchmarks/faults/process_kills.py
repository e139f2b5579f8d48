"""Faults of processes: all are killed, one is killed, or the command gets SIGTERM."""

import os
import pathlib
import time

from benchmarks.faults import comparison
from benchmarks.faults.command_runs import Run
from benchmarks.faults.comparison import Verdict
from benchmarks.faults.workbench import Bench, Outcome, copies, expect
from serving.manifest import layout

# Phases of a run, in their order.
_PHASES = ("start", "listing", "middle", "rows", "manifest")
# Phases of successive kills, repeated as needed.
_ORDER = ("middle", "manifest", "start", "middle", "rows", "middle", "listing", "middle")


def killed(bench: Bench, kills: int) -> Outcome:
    """Kills all processes of a run at random moments of each of its phases; each run resumes the previous one."""
    output, verdict = bench.output(), Verdict()
    phases = sorted((_ORDER[n % len(_ORDER)] for n in range(kills)), key=_PHASES.index)
    middle = sorted(bench.rng.uniform(0.02, 0.98) for phase in phases if phase == "middle")
    hits = 0
    for phase in phases:
        run = bench.start(output)
        if _waits_for(bench, run, output, phase, middle):
            hits += 1
        run.kill()
        verdict += bench.torn(output)
    verdict += bench.continues(output)
    return Outcome(hits, "the same command", verdict + bench.compare(output))


def _waits_for(bench: Bench, run: Run, output: pathlib.Path, phase: str, middle: list[float]) -> bool:
    """Waits for a random moment of a phase; returns whether the run was still active then."""
    start, _, end = bench.seconds
    scratch = output / layout.SCRATCH
    if phase == "start":
        return run.waits_until(lambda: True, bench.rng.uniform(0, 0.8 * start))
    if phase == "listing":
        return run.waits_until((scratch / "spool").exists, bench.rng.uniform(0, 0.3))
    if phase == "manifest":
        before = _stamps(output)
        return run.waits_until(lambda: _stamps(output) != before, bench.rng.choice((0, 0, 0.005, 0.02)))
    # Copies of earlier runs exist from the start: they count once this run has begun to colour.
    count = bench.archive.done * (middle.pop(0) if phase == "middle" else 1)
    late = bench.rng.uniform(0, end if phase == "rows" else 0.2)
    return run.waits_until(lambda: (scratch / "progress").exists() and copies(output) >= count, late)


def _stamps(output: pathlib.Path) -> dict[str, int]:
    """Returns name -> time of modification of the manifest's files, which change while it is being written."""
    found = {}
    for entry in os.scandir(output / "manifest") if (output / "manifest").exists() else ():
        try:
            found[entry.name] = 0 if entry.is_dir() else entry.stat().st_mtime_ns
        except FileNotFoundError:
            found[entry.name] = 1
    return {name: stamp for name, stamp in found.items() if name != "pending"}


def stopped(bench: Bench, share: float = 0.4) -> Outcome:
    """Sends SIGTERM during the run."""
    output = bench.output()
    run = bench.start(output)
    under_way = run.waits_until(lambda: copies(output) >= share * bench.archive.done)
    run.send()
    verdict = expect(run, 143, "stopped by SIGTERM; the same command continues")
    verdict += bench.continues(output) + bench.compare(output)
    return Outcome(int(under_way), "the same command", verdict)


def without_decoder(bench: Bench, times: int = 3) -> Outcome:
    """Kills decoding helper processes, as the kernel may when memory is short."""
    output = bench.output()
    run, hits = bench.start(output), 0
    for number in range(times):
        share = (number + 0.5) / (times + 1)
        if run.waits_until(lambda share=share: copies(output) >= share * bench.archive.done):
            for pid in run.pids(b"sandbox.worker")[:1]:
                os.kill(pid, 9)
                hits += 1
    verdict = expect(run, 0)
    how = "automatic"
    if not comparison.compare(output, bench.reference).is_good:
        how = "the same command"
        verdict += bench.continues(output)
    return Outcome(hits, how, verdict + bench.compare(output))


def without_worker(bench: Bench) -> Outcome:
    """Kills one of two worker processes."""
    output, workers = bench.output(), ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    run = bench.start(output, *workers)
    under_way = run.waits_until(lambda: copies(output) >= 0.2 * bench.archive.done)
    for pid in run.pids(b"\0apache_beam.runners.worker.sdk_worker_main")[-1:]:
        os.kill(pid, 9)
    verdict = expect(run, 1, "run the same command again")
    verdict += _leaves_no_process(run) + bench.torn(output)
    return Outcome(
        int(under_way), "the same command", verdict + bench.continues(output, *workers) + bench.compare(output)
    )


def without_launcher(bench: Bench) -> Outcome:
    """Kills the command itself, but not its two worker processes, as the kernel may when memory is short."""
    output, workers = bench.output(), ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    run = bench.start(output, *workers)
    under_way = run.waits_until(lambda: copies(output) >= 0.2 * bench.archive.done)
    run.send(9)
    run.ends()
    verdict = bench.continues(output, *workers) + _leaves_no_process(run)
    return Outcome(int(under_way), "the same command", verdict + bench.compare(output))


def _leaves_no_process(run: Run, seconds: float = 20) -> Verdict:
    deadline = time.monotonic() + seconds
    while (pids := run.pids()) and time.monotonic() < deadline:
        time.sleep(0.1)
    run.kill()
    return Verdict(problems=(f"{len(pids)} processes were left after {seconds:g} s",) if pids else ())
