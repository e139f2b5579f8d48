"""prepare against a scikit-image baseline on one core, and its memory on ten times the photographs."""

import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np

from benchmarks import photographs
from photochrom import errors
from photochrom.imaging.sandbox import pool
from pipelines.config import PrepareConfig

_SIZE = 256


def speed(folder: pathlib.Path, scratch: pathlib.Path, size: tuple[int, int], count: int) -> float:
    """Returns the speed of making a record in a shard, relative to the scikit-image baseline."""
    cv2.setNumThreads(1)
    paths = photographs.resized(folder, size, count, scratch / f"{size[0]}x{size[1]}")
    ours = _seconds(lambda: _write_shard(paths, scratch / "ours"))
    theirs = _seconds(lambda: _baseline(paths, scratch / "baseline.tfrecord"))
    print(f"  {size[0]}x{size[1]}: {ours / count * 1e3:.1f} ms a photograph, baseline {theirs / count * 1e3:.1f} ms")
    return theirs / ours


def memory(folder: pathlib.Path, scratch: pathlib.Path, few: int, many: int) -> float:
    """Returns the ratio of the peak memory of two whole jobs, on `many` and on `few` photographs."""
    peaks = [
        _peak_of_job(photographs.many(folder, n, scratch / f"{n}.zip"), scratch / f"dataset{n}") for n in (few, many)
    ]
    print(f"  {few} photographs: {peaks[0] / 1024:.0f} MB, {many}: {peaks[1] / 1024:.0f} MB")
    return peaks[1] / peaks[0]


def _write_shard(paths: list[pathlib.Path], output: pathlib.Path) -> None:
    """Reads, decodes and writes one shard by the job's own worker code, without Beam."""
    from photochrom.sources.source import Source
    from pipelines.shards import WriteShard

    config = PrepareConfig(input=("-",), output=str(output), image_size=_SIZE)
    worker = WriteShard(config, str(output / "progress"))
    worker.setup()
    sources = [
        Source(str(time.monotonic_ns()) + path.name, str(path)) for path in paths
    ]  # new keys, so that no earlier shard is kept
    (summary,) = worker.process((("train", 0, 1), sources), {})
    if summary.examples + sum(summary.refused.values()) != len(paths):
        raise errors.PhotochromError("the benchmark lost photographs")


def _baseline(paths: list[pathlib.Path], output: pathlib.Path) -> None:
    """Opens, resizes, converts by rgb2lab and stores float32, with scikit-image, as a typical notebook does."""
    import tensorflow as tf
    from skimage import color, io, transform

    with tf.io.TFRecordWriter(str(output)) as writer:
        for path in paths:
            rgb = transform.resize(io.imread(path), (_SIZE, _SIZE))
            lab = color.rgb2lab(rgb).astype(np.float32)
            feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[lab.tobytes()]))
            example = tf.train.Example(features=tf.train.Features(feature={"lab": feature}))
            writer.write(example.SerializeToString())


def _seconds(work: Callable[[], None], repeats: int = 3) -> float:
    """Returns the processor seconds of the fastest run, which other load on the machine hardly affects.

    The decoder's helpers are included: a process counts its children's time once they have ended.
    """

    def once() -> float:
        started = _processor_seconds()
        work()
        pool.end_helpers()
        return _processor_seconds() - started

    return min(once() for _ in range(repeats))


def _processor_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _peak_of_job(archive: pathlib.Path, output: pathlib.Path) -> int:
    """Returns the peak resident memory of a `photochrom prepare` in a separate process, KB.

    Source: the kernel's VmHWM, because the ru_maxrss of a new process starts at its parent's value.
    """
    job = [sys.executable, "-c", "import sys; from pipelines import prepare; prepare.run(sys.argv[1:]); "
           "print(open('/proc/self/status').read())"]  # fmt: skip
    done = subprocess.run(
        [*job, f"--input={archive}", f"--output={output}"], check=True, capture_output=True, text=True
    )
    return int(done.stdout.rsplit("VmHWM:", 1)[1].split()[0])
