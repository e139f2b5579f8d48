"""prepare, killed at random moments: the dataset must be byte for byte that of an undisturbed run."""

import hashlib
import os
import pathlib
import random
import time

import numpy as np
import skimage.data
from PIL import Image

from benchmarks.faults.command_runs import Run
from photochrom.storage import files

_FLAGS = ("--image_size=64", "--num_shards=8", "--split=train=0.8,validation=0.2")


def photographs(folder: pathlib.Path, count: int, seed: int) -> pathlib.Path:
    """Writes small colour photographs, crops of scikit-image's, and a broken one."""
    folder.mkdir()
    rng = random.Random(seed)
    sources = [getattr(skimage.data, name)() for name in ("astronaut", "coffee", "chelsea", "rocket")]
    for number in range(count):
        rgb = rng.choice(sources)
        top, left = rng.randrange(rgb.shape[0] - 96), rng.randrange(rgb.shape[1] - 96)
        Image.fromarray(np.ascontiguousarray(rgb[top : top + 96, left : left + 96])).save(folder / f"{number:05d}.jpg")
    (folder / "broken.jpg").write_bytes((folder / "00000.jpg").read_bytes()[:700])
    return folder


def killed(folder: pathlib.Path, count: int, kills: int, seed: int) -> tuple[int, list[str], list[str]]:
    """Kills runs at random moments, lets the last one finish, and compares.

    Returns:
        The number of runs that were killed while active, the names of files that differ, are missing or are surplus,
        and the names of partial files.
    """
    photos = photographs(folder / "photos", count, seed)
    began = time.monotonic()
    reference = _ended(folder, photos, "undisturbed")
    seconds = time.monotonic() - began
    rng, hits = random.Random(seed), 0
    for number in range(kills):
        run = _start(folder, photos, "killed")
        hits += run.waits_until(lambda: True, rng.uniform(0.2, 0.95) * seconds * (number + 1) / kills)
        run.kill()
    found = _ended(folder, photos, "killed")
    wrong = sorted(name for name in reference.keys() | found.keys() if reference.get(name) != found.get(name))
    return hits, wrong, [name for name in found if files.TEMPORARY_MARK in name or name.startswith(".")]


def _start(folder: pathlib.Path, photos: pathlib.Path, name: str) -> Run:
    return Run(["prepare", f"--input={photos}", f"--output={folder / name}", *_FLAGS], folder / f"log-{name}")


def _ended(folder: pathlib.Path, photos: pathlib.Path, name: str) -> dict[str, str]:
    """Runs prepare to its end; returns path -> digest of its files, without TensorFlow's graph.

    TensorFlow serializes the same graph to different bytes each time.
    """
    run = _start(folder, photos, name)
    if run.ends():
        raise RuntimeError(run.log.read_text())
    return {
        os.path.relpath(path, folder / name): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / name).rglob("*"))
        if path.is_file() and "transform_fn" not in path.parts
    }
