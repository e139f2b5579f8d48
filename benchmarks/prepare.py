"""prepare against the loop of a notebook, on one core; and its memory on ten times the photographs."""

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
from photochrom.imaging.sandbox import decoder
from pipelines.config import PrepareConfig

_SIZE = 256


def speed(folder: pathlib.Path, scratch: pathlib.Path, size: tuple[int, int], count: int) -> float:
    """Returns how many times faster a photograph becomes a record in a shard than in the notebook's loop."""
    cv2.setNumThreads(1)
    paths = photographs.resized(folder, size, count, scratch / f"{size[0]}x{size[1]}")
    ours = _seconds(lambda: _write_shard(paths, scratch / "ours"))
    theirs = _seconds(lambda: _notebook(paths, scratch / "notebook.tfrecord"))
    print(f"  {size[0]}x{size[1]}: {ours / count * 1e3:.1f} ms a photograph, notebook {theirs / count * 1e3:.1f} ms")
    return theirs / ours


def memory(folder: pathlib.Path, scratch: pathlib.Path, few: int, many: int) -> float:
    """Returns the peak memory of preparing `many` photographs over that of preparing `few`, whole jobs both."""
    peaks = [
        _peak_of_job(photographs.many(folder, n, scratch / f"{n}.zip"), scratch / f"dataset{n}") for n in (few, many)
    ]
    print(f"  {few} photographs: {peaks[0] / 1024:.0f} MB, {many}: {peaks[1] / 1024:.0f} MB")
    return peaks[1] / peaks[0]


def _write_shard(paths: list[pathlib.Path], output: pathlib.Path) -> None:
    """The job's own worker code, without Beam around it: one shard, read, decoded and written."""
    from photochrom.sources.source import Source
    from pipelines.shards import WriteShard

    config = PrepareConfig(input=("-",), output=str(output), image_size=_SIZE)
    worker = WriteShard(config, str(output / "progress"))
    worker.setup()
    sources = [Source(str(time.monotonic_ns()) + path.name, str(path)) for path in paths]  # new keys: nothing is kept
    (summary,) = worker.process((("train", 0, 1), sources), {})
    if summary["examples"] + sum(summary["refused"].values()) != len(paths):
        raise errors.PhotochromError("the benchmark lost photographs")


def _notebook(paths: list[pathlib.Path], output: pathlib.Path) -> None:
    """What notebooks do: open, resize, rgb2lab and store float32, with scikit-image."""
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
    """Returns the best of some runs, processor seconds: what a core spends, whatever else the machine does.

    What the decoder's helpers spend is among it: a process counts its children's time once they have ended.
    """

    def once() -> float:
        started = _processor_seconds()
        work()
        decoder.end_helpers()
        return _processor_seconds() - started

    return min(once() for _ in range(repeats))


def _processor_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _peak_of_job(archive: pathlib.Path, output: pathlib.Path) -> int:
    """Returns the peak resident memory of a `photochrom prepare` in a process of its own, KB.

    The kernel's VmHWM: the ru_maxrss of a new process begins with what its parent had.
    """
    job = [sys.executable, "-c", "import sys; from pipelines import prepare; prepare.run(sys.argv[1:]); "
           "print(open('/proc/self/status').read())"]  # fmt: skip
    done = subprocess.run(
        [*job, f"--input={archive}", f"--output={output}"], check=True, capture_output=True, text=True
    )
    return int(done.stdout.rsplit("VmHWM:", 1)[1].split()[0])
