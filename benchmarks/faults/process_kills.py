"""Faults of processes: all are killed, one of them is, or the command is told to stop."""

import os
import pathlib
import time

from benchmarks.faults import comparison
from benchmarks.faults.command_runs import Run
from benchmarks.faults.comparison import Verdict
from benchmarks.faults.workbench import Bench, Outcome, copies, expect
from serving import config

# Where kills fall, in the order of a run; of any number of kills, the first ones of this list have the most.
_PHASES = ("start", "listing", "middle", "rows", "manifest")
_ORDER = ("middle", "manifest", "start", "middle", "rows", "middle", "listing", "middle")


def killed(bench: Bench, kills: int) -> Outcome:
    """Kills all processes of a run at random moments of each of its phases; each run goes on where the last one was."""
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
    return Outcome(hits, "the same command", verdict + bench.judge(output))


def _waits_for(bench: Bench, run: Run, output: pathlib.Path, phase: str, middle: list[float]) -> bool:
    """Waits for a random moment of a phase; says whether the run was still under way then."""
    start, _, end = bench.seconds
    scratch = output / config.SCRATCH
    if phase == "start":
        return run.waits_until(lambda: True, bench.rng.uniform(0, 0.8 * start))
    if phase == "listing":
        return run.waits_until((scratch / "spool").exists, bench.rng.uniform(0, 0.3))
    if phase == "manifest":
        before = _stamps(output)
        return run.waits_until(lambda: _stamps(output) != before, bench.rng.choice((0, 0, 0.005, 0.02)))
    # What earlier runs have made is there from the start: it counts once this one is at work.
    count = bench.archive.done * (middle.pop(0) if phase == "middle" else 1)
    late = bench.rng.uniform(0, end if phase == "rows" else 0.2)
    return run.waits_until(lambda: (scratch / "progress").exists() and copies(output) >= count, late)


def _stamps(output: pathlib.Path) -> dict[str, int]:
    """Returns what changes when the manifest is being written."""
    found = {}
    for entry in os.scandir(output / "manifest") if (output / "manifest").exists() else ():
        try:
            found[entry.name] = 0 if entry.is_dir() else entry.stat().st_mtime_ns
        except FileNotFoundError:
            found[entry.name] = 1
    return {name: stamp for name, stamp in found.items() if name != "pending"}


def stopped(bench: Bench, share: float = 0.4) -> Outcome:
    """SIGTERM in the middle."""
    output = bench.output()
    run = bench.start(output)
    under_way = run.waits_until(lambda: copies(output) >= share * bench.archive.done)
    run.send()
    verdict = expect(run, 143, "stopped by SIGTERM; the same command continues")
    verdict += bench.continues(output) + bench.judge(output)
    return Outcome(int(under_way), "the same command", verdict)


def without_decoder(bench: Bench, times: int = 3) -> Outcome:
    """Kills helper processes that decode, as the kernel may when memory is short."""
    output = bench.output()
    run, hits = bench.start(output), 0
    for number in range(times):
        share = (number + 0.5) / (times + 1)
        if run.waits_until(lambda share=share: copies(output) >= share * bench.archive.done):
            for pid in run.pids(b"decoder_process")[:1]:
                os.kill(pid, 9)
                hits += 1
    verdict = expect(run, 0)
    how = "by itself"
    if not comparison.judge(output, bench.reference).is_good:
        how = "the same command"
        verdict += bench.continues(output)
    return Outcome(hits, how, verdict + bench.judge(output))


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
        int(under_way), "the same command", verdict + bench.continues(output, *workers) + bench.judge(output)
    )


def without_launcher(bench: Bench) -> Outcome:
    """Kills the command itself and not its two worker processes, as the kernel may when memory is short."""
    output, workers = bench.output(), ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    run = bench.start(output, *workers)
    under_way = run.waits_until(lambda: copies(output) >= 0.2 * bench.archive.done)
    run.send(9)
    run.ends()
    verdict = bench.continues(output, *workers) + _leaves_no_process(run)
    return Outcome(int(under_way), "the same command", verdict + bench.judge(output))


def _leaves_no_process(run: Run, seconds: float = 20) -> Verdict:
    deadline = time.monotonic() + seconds
    while (pids := run.pids()) and time.monotonic() < deadline:
        time.sleep(0.1)
    run.kill()
    return Verdict(problems=(f"{len(pids)} processes were left after {seconds:g} s",) if pids else ())
