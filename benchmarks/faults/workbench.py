"""An archive, the real command, and the reference output of an undisturbed run."""

import dataclasses
import itertools
import os
import pathlib
import random
import time

from benchmarks.faults import comparison
from benchmarks.faults.command_runs import Run
from benchmarks.faults.comparison import Verdict
from tests.support import damaged, tint


@dataclasses.dataclass
class Bench:
    """An archive, the model, and the output of an undisturbed run.

    Attributes:
        archive: the scans.
        model: the bundle.
        folder: for outputs and logs of the runs.
        rng: source of random moments.
        reference: output of the undisturbed run.
        seconds: its durations: to the first copy, from there to the last, from there to its end.
    """

    archive: damaged.Archive
    model: str
    folder: pathlib.Path
    rng: random.Random
    reference: comparison.Tree = dataclasses.field(default_factory=lambda: comparison.Tree({}, {}, ()))
    seconds: tuple[float, float, float] = (0.0, 0.0, 0.0)
    numbers: itertools.count = dataclasses.field(default_factory=itertools.count)

    @classmethod
    def make(cls, folder: pathlib.Path, images: int, seed: int, model: str = "") -> "Bench":
        """Writes an archive of about `images` scans and colorizes it undisturbed.

        Raises:
            AssertionError: the rows differ from those expected for the archive.
        """
        archive = damaged.make(folder / "scans", images, seed)
        bench = cls(archive, model or tint.make_bundle(folder / "bundle"), folder, random.Random(seed))
        output = bench.output()
        run = bench.start(output)
        times = [run.began]
        for count in (1, archive.done):
            run.waits_until(lambda count=count: copies(output) >= count)
            times.append(time.monotonic())
        assert run.ends() == 0, run.log.read_text()
        bench.seconds = tuple(b - a for a, b in itertools.pairwise([*times, time.monotonic()]))
        bench.reference = comparison.Tree.of(output)
        assert bench.reference.ends() == archive.ends and not bench.reference.strays
        return bench

    @property
    def inputs(self) -> int:
        return len(self.archive.ends)

    def output(self) -> pathlib.Path:
        """Returns a new output folder."""
        return self.folder / f"out{next(self.numbers):03d}"

    def start(self, output: pathlib.Path | str, *flags: str, prefix: tuple[str, ...] = ()) -> Run:
        """Starts the command."""
        log = self.folder / f"log{next(self.numbers):03d}"
        argv = ["colorize", f"--input={self.archive.folder}", f"--output={output}", f"--model={self.model}"]
        return Run([*argv, *damaged.FLAGS, *flags], log, prefix)

    def continues(self, output: pathlib.Path | str, *flags: str, prefix: tuple[str, ...] = ()) -> Verdict:
        """Repeats the command undisturbed; returns a problem if it does not end with exit status 0."""
        run = self.start(output, *flags, prefix=prefix)
        return expect(run, 0)

    def compare(self, output: pathlib.Path, seen: pathlib.Path | None = None, prefix: tuple[str, ...] = ()) -> Verdict:
        """Returns the differences of an output folder, which other processes may see under the path `seen`."""
        verdict = comparison.compare(seen or output, self.reference)
        for command in ("verify", "status"):
            run = Run([command, str(output)], self.folder / f"log{next(self.numbers):03d}", prefix)
            verdict += expect(run, 0)
        return verdict

    def torn(self, output: pathlib.Path) -> Verdict:
        """Counts partial copies while a run is interrupted."""
        names = [path for path in (output / "images").rglob("*") if path.is_file()] if output.exists() else []
        found = comparison.Tree.of(output) if names else comparison.Tree({}, {}, ())
        return Verdict(partial=comparison.torn(found, self.reference))


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Result of a fault: number of injections, way of recovery, final differences."""

    tries: int
    how: str
    verdict: Verdict


def expect(run: Run, status: int, text: str = "") -> Verdict:
    """Waits for a run to end; returns a problem if exit status or last line differ from the expected ones."""
    found = run.ends()
    last = run.last_line()
    is_line = not text or (last.startswith("photochrom: ") and text in last)
    wrong = f"exit status {found}, expected {status} ({text}); the last line was {last[:300]!r}"
    return Verdict(problems=() if found == status and is_line else (wrong,))


def copies(output: pathlib.Path) -> int:
    """Returns the number of existing copies."""
    return sum(not name.startswith(".") for _, _, names in os.walk(output / "images") for name in names)
