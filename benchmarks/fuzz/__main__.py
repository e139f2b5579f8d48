"""`python -m benchmarks.fuzz --minutes 60`: mutated pictures, archives and manifests; none may harm the job.

Each input ends as pictures or with reasons, within the time limit and 5 s, with no process above 2.5 GB and no file
changed outside the output. Prints for each kind the number of inputs, their ends, the slowest, and the peak memory of a
process; the exit status is 1 after a fault. Faulty inputs are kept in --keep.
"""

import argparse
import dataclasses
import pathlib
import random
import sys
import tempfile
import time
import traceback

from benchmarks.fuzz import limits, targets
from photochrom.imaging.sandbox import decoder

_MEMORY_LIMIT = 2_500_000_000
_GRACE_SECONDS = 5.0
# Address space of this process, above its own; a fault ends as a MemoryError then.
_MAX_GROWTH = 6 << 30
# Inputs with one kind of fault, of which files are kept.
_MOST_KEPT = 5
# Shares of 20 inputs: the decoder is by far the largest part of the code.
_SHARES = {"pictures": 14, "archives": 4, "manifests": 2}


@dataclasses.dataclass
class Tally:
    """The results of one target.

    Attributes:
        inputs: number of them.
        ends: how many ended how.
        slowest: seconds, and the number of the input.
    """

    inputs: int = 0
    ends: targets.Ends = dataclasses.field(default_factory=targets.Ends)
    slowest: tuple[float, int] = (0.0, 0)


@dataclasses.dataclass
class Campaign:
    """Mutates and runs inputs; input N of a seed is the same in every campaign.

    Attributes:
        targets: by name.
        seed: of the mutations.
        seconds: that one input may take.
        keep: folder for faulty inputs, or None.
        faults: kind of fault -> its inputs, as "NAME-NUMBER".
    """

    targets: dict[str, targets.Target]
    seed: int = 0
    seconds: float = 25.0
    keep: pathlib.Path | None = None
    tallies: dict[str, Tally] = dataclasses.field(default_factory=dict)
    faults: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def run(self, name: str, number: int) -> None:
        """Runs input `number` of a target."""
        target, tally = self.targets[name], self.tallies.setdefault(name, Tally())
        files = target.make(random.Random(f"{self.seed} {name} {number}"))
        began = time.monotonic()
        ends = self._ends(target, files)
        tally.inputs += 1
        tally.ends += ends
        tally.slowest = max(tally.slowest, (time.monotonic() - began, number))
        for end in sorted(end for end in ends if end.split()[0] in targets.FAULTS):
            self._note(f"{name}: {end}", f"{name}-{number}", files)

    def _ends(self, target: targets.Target, files: dict[str, bytes]) -> targets.Ends:
        peak, target.peak = target.peak, 0
        try:
            with limits.time_limit(3600 if target.name == "runs" else self.seconds):
                ends = target.run(files)
        except limits.TooLateError:
            ends = targets.Ends(("hang",))
        except MemoryError:
            ends = targets.Ends(("memory",))
        except Exception as error:  # such errors are what a campaign looks for
            place = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"unforeseen {type(error).__name__} at {pathlib.Path(place.filename).name}:{place.lineno}"
            ends = targets.Ends((kind,))
        if target.peak > _MEMORY_LIMIT:
            ends["memory"] += 1
        target.peak = max(peak, target.peak)
        return ends

    def _note(self, fault: str, name: str, files: dict[str, bytes]) -> None:
        found = self.faults.setdefault(fault, [])
        found.append(name)
        if len(found) > _MOST_KEPT:
            return
        print(f"{fault}: {name}", file=sys.stderr, flush=True)
        if self.keep:
            folder = self.keep / name
            folder.mkdir(parents=True, exist_ok=True)
            for file, data in files.items():
                (folder / file).write_bytes(data)

    def report(self) -> str:
        """Returns the figures of each target, and the kinds of faults."""
        lines = []
        for name, tally in self.tallies.items():
            slowest, number = tally.slowest
            lines.append(
                f"{name}: {tally.inputs:,} inputs; slowest {slowest:.1f} s ({number}); "
                f"peak of a process {self.targets[name].peak / 1e9:.2f} GB"
            )
            lines += [f"  {count:>9,}  {end}" for end, count in tally.ends.most_common()]
        lines.append(f"{len(self.faults)} kinds of faults")
        lines += [f"  {len(found):>9,}  {fault}; first {found[0]}" for fault, found in self.faults.items()]
        return "\n".join(lines)


def main() -> int:
    """Runs inputs until the time limit, prints the report and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="duration")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations")
    parser.add_argument("--timeout", type=float, default=20.0, help="for one input, seconds")
    parser.add_argument("--max_pixels", type=int, default=10_000_000, help="limit of the decoder")
    parser.add_argument("--input", type=pathlib.Path, help="folder of pictures to mutate beside the built-in ones")
    parser.add_argument("--runs_every", type=float, default=5.0, help="minutes between whole runs; 0 for none")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for faulty inputs")
    flags = parser.parse_args()
    more = [path.read_bytes() for path in sorted(flags.input.rglob("*")) if path.is_file()] if flags.input else []
    guarded = decoder.Decoder(flags.max_pixels, flags.timeout)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        chosen: list[targets.Target] = [
            targets.Pictures(guarded, [data for data in more if 0 < len(data) <= 1 << 20]),
            *(targets.Listings(kind, folder / kind, guarded) for kind in ("archives", "manifests")),
        ]
        if flags.runs_every:
            chosen.append(targets.Runs(folder / "runs", flags.timeout, flags.max_pixels))
        campaign = Campaign({one.name: one for one in chosen}, flags.seed, flags.timeout + _GRACE_SECONDS, flags.keep)
        limits.limit_own_memory(_MAX_GROWTH)
        _run(campaign, 60 * flags.minutes, 60 * flags.runs_every)
    print(campaign.report())
    return int(bool(campaign.faults))


def _run(campaign: Campaign, seconds: float, runs_every: float) -> None:
    order = [name for name, share in _SHARES.items() for _ in range(share)]
    began = time.monotonic()
    number = runs = 0
    while (passed := time.monotonic() - began) < seconds:
        if runs_every and passed >= runs * runs_every:
            campaign.run("runs", runs)
            runs += 1
        campaign.run(order[number % len(order)], number)
        number += 1


if __name__ == "__main__":
    sys.exit(main())
