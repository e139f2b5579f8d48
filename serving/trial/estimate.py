"""The time, space and memory that all inputs will take on this machine, from a run on a sample of them."""

import dataclasses
import resource
import shutil
import time
from collections.abc import Iterable
from typing import Any

import apache_beam as beam

from photochrom import errors
from photochrom.imaging.sandbox import pool
from photochrom.jobs.progress import duration
from photochrom.storage import files
from serving.inference import memory
from serving.manifest import reader
from serving.manifest.rows import Row
from serving.trial import sample

# Distribution of the moments, in ms of the Unix clock, at which an input was read or finished.
_WORK = "estimate-work-ms"


@dataclasses.dataclass(frozen=True)
class Sample:
    """Measurements of a run on a sample.

    Attributes:
        found: all inputs, of which the sample is a part.
        inputs: of the sample that an earlier run had not done already.
        scale: factor from these to all.
        megapixels: of their copies.
        copy_bytes: of their copies and sidecars.
        seconds: from the first read to the last row, with the model loaded.
        other_seconds: the rest of the run: start, listing, loading, manifest.
        memory_bytes: the most that the process and its helpers held.
        workers: threads or processes of the run.
    """

    found: int
    inputs: int
    scale: float
    megapixels: float
    copy_bytes: int
    seconds: float
    other_seconds: float
    memory_bytes: int
    workers: int

    def to_json(self) -> dict[str, Any]:
        """Returns the estimate for all inputs as a JSON object."""
        return {
            "inputs": self.found,
            "seconds": round(self.other_seconds + self.seconds * self.scale, 1),
            "copy_bytes": round(self.copy_bytes * self.scale),
            "memory_bytes": self.memory_bytes,
            "workers": self.workers,
            "sample": self.inputs,
            "megapixels": round(self.megapixels, 3),
            "seconds_per_megapixel": self._per_megapixel(self.seconds),
            "copy_bytes_per_megapixel": self._per_megapixel(self.copy_bytes),
        }

    def _per_megapixel(self, amount: float) -> float | None:
        return round(amount / self.megapixels, 3) if self.megapixels else None

    def line(self, free_bytes: int | None = None) -> str:
        """Returns the estimate as one line; `free_bytes` is the space that the output's disk has left."""
        whole = self.to_json()
        is_short = free_bytes is not None and whole["copy_bytes"] > free_bytes
        space = f" ({_size(free_bytes)} free: too little)" if free_bytes is not None and is_short else ""
        each = (
            f"{whole['seconds_per_megapixel']:.2f} s and {_size(whole['copy_bytes_per_megapixel'])} a megapixel"
            if self.megapixels
            else "no copy, so nothing a megapixel"
        )
        return (
            f"estimate for all {self.found} inputs on this machine, {self.workers} workers: "
            f"{duration(whole['seconds'])}, {_size(whole['copy_bytes'])} of copies{space}, "
            f"{_size(self.memory_bytes)} of memory; {each}; from {self.inputs} inputs of "
            f"{self.megapixels / self.inputs:.1f} megapixels on average"
        )


def mark() -> None:
    """Notes that an input is being read, or is finished, for the estimate."""
    beam.metrics.Metrics.distribution(Sample, _WORK).update(int(time.time() * 1000))


def measure(result: Any, output: str, limit: int, seconds: float, workers: int) -> Sample:
    """Returns the measurements of a run that has just finished in this process or its children.

    Args:
        result: Beam's.
        output: the output folder.
        limit: the most files that the sample has.
        seconds: that the run took.
        workers: its threads or processes.

    Raises:
        UsageError: the run kept all of the sample, so there is nothing to measure.
    """
    counts = {one.key.metric.name: one.committed for one in result.metrics().query()["counters"]}
    times = result.metrics().query(beam.metrics.MetricsFilter().with_name(_WORK))["distributions"]
    listed, found = reader.read_summary(output).listed, counts.get(sample.FOUND, 0)
    inputs = listed - counts.get("rows-kept", 0)
    if not (times and inputs):
        raise errors.UsageError(
            "--estimate measured nothing: an earlier run has done the whole sample; give another --output, or "
            "--retry=all to do it again"
        )
    run = reader.read_runs(output)[-1].run
    rows = [row for _, row in reader.read_rows(output) if row.run == run]
    work = (max(one.committed.max for one in times) - min(one.committed.min for one in times)) / 1000
    return Sample(
        found=found,
        inputs=inputs,
        scale=found / min(found, limit) * listed / inputs,
        megapixels=sum(row.height * row.width for row in rows) / 1e6,
        copy_bytes=_bytes_of(rows, output),
        seconds=work,
        other_seconds=max(seconds - work, 0),
        memory_bytes=_memory(workers),
        workers=workers,
    )


def free_bytes(output: str) -> int | None:
    """Returns the space left on the disk of an output folder; None for a bucket."""
    return shutil.disk_usage(output).free if files.is_local(output) else None


def _bytes_of(rows: Iterable[Row], output: str) -> int:
    return sum(files.stat(files.join(output, path)).size for row in rows for path in row.paths)


def _memory(workers: int) -> int:
    """Returns about the most bytes that this process, and as many children as there are workers, held together."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
    return memory.peak() + workers * max([ended, *map(memory.peak, pool.helper_pids())])


def _size(count: float) -> str:
    """Returns a number of bytes in words, in powers of ten as disks are sold."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
