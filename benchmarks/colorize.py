"""colorize against a bare loop that decodes, calls the model on full batches and encodes."""

import pathlib
import subprocess
import sys
import time

import numpy as np
from PIL import Image

from benchmarks import photographs
from photochrom.jobs import tensorflow_setup
from photochrom.model import bundle, loaded


def throughput(folder: pathlib.Path, scratch: pathlib.Path, model: str, size: tuple[int, int], count: int) -> float:
    """Returns the ratio of images per second of the job and of the loop, in separate processes, without start-up.

    The start-up of the job is its duration on at most one batch, measured beforehand.
    """
    scans = _scans(folder, scratch / "scans", size, count)
    few = scratch / "few"
    few.mkdir()
    for path in sorted(scans.iterdir())[:16]:
        (few / path.name).write_bytes(path.read_bytes())
    start = _job(few, scratch / "coloured-few", model)
    ours = (_job(scans, scratch / "coloured", model) - start) / (count - 16)
    loop = [sys.executable, "-m", "benchmarks.colorize", model, str(scans), str(scratch / "loop")]
    theirs = float(subprocess.run(loop, check=True, capture_output=True, text=True).stdout.split()[-1]) / count
    print(
        f"  {size[0]}x{size[1]}: {1 / ours:.1f} images/s, bare loop {1 / theirs:.1f} images/s, start-up {start:.1f} s"
    )
    return theirs / ours


def again(folder: pathlib.Path, scratch: pathlib.Path, model: str, size: tuple[int, int], count: int) -> float:
    """Returns the duration of a second run on an unchanged archive as a share of the first, start-up included."""
    scans = _scans(folder, scratch / "archive", size, count)
    first, second = (_job(scans, scratch / "coloured-archive", model) for _ in range(2))
    print(f"  {count} scans, {size[0]}x{size[1]}: first run {first:.0f} s, second {second:.1f} s")
    return second / first


def _scans(folder: pathlib.Path, scans: pathlib.Path, size: tuple[int, int], count: int) -> pathlib.Path:
    for path in photographs.resized(folder, size, count, scans):
        Image.open(path).convert("L").save(path, quality=90)
    return scans


def _job(scans: pathlib.Path, output: pathlib.Path, model: str) -> float:
    started = time.monotonic()
    command = [sys.executable, "-m", "serving.colorize", f"--input={scans}", f"--output={output}", f"--model={model}"]
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - started


def bare_loop(model: str, scans: pathlib.Path, output: pathlib.Path, batch_size: int = 16) -> float:
    """Colorizes a folder of scans of one size like a minimal script, and returns its seconds.

    It decodes, squashes to the model's square, calls it on full batches, enlarges ab, converts Lab to RGB by OpenCV
    with clipping, and encodes. No manifest, no reasons, no digests, no metadata.
    """
    import cv2

    tensorflow_setup.import_tensorflow()
    opened = bundle.open_bundle(model)
    predict, size = loaded.Model(opened).predict, opened.image_size
    predict(np.zeros([batch_size, size, size, 1], np.float32))
    output.mkdir(parents=True)
    paths = sorted(scans.iterdir())
    started = time.monotonic()
    for first in range(0, len(paths), batch_size):
        batch = paths[first : first + batch_size]
        grays = [np.asarray(Image.open(path)) for path in batch]
        lab = [cv2.cvtColor(cv2.merge([gray] * 3).astype(np.float32) / 255, cv2.COLOR_RGB2Lab) for gray in grays]
        small = np.stack([cv2.resize(one[..., 0], (size, size), interpolation=cv2.INTER_AREA) for one in lab])
        ab, _ = predict(small[..., None])
        for path, one, colors in zip(batch, lab, ab, strict=True):
            one[..., 1:] = cv2.resize(colors, one.shape[1::-1], interpolation=cv2.INTER_CUBIC)
            rgb = (cv2.cvtColor(one, cv2.COLOR_Lab2RGB).clip(0, 1) * 255).round().astype(np.uint8)
            Image.fromarray(rgb).save(output / path.name, quality=95, subsampling=0)
    return time.monotonic() - started


if __name__ == "__main__":
    print(bare_loop(sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])))
