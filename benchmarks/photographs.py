"""Photographs for the benchmarks: real ones from a folder, resized to the measured sizes."""

import itertools
import pathlib
import random
import zipfile

from PIL import Image


def resized(folder: pathlib.Path, size: tuple[int, int], count: int, output: pathlib.Path) -> list[pathlib.Path]:
    """Writes `count` JPEGs of `size` (width, height), px, from the photographs of a folder; returns their paths."""
    output.mkdir(parents=True, exist_ok=True)
    written = []
    for number, source in zip(range(count), itertools.cycle(paths(folder)), strict=False):
        path = output / f"{number:05d}.jpg"
        with Image.open(source) as image:
            image.convert("RGB").resize(size, Image.Resampling.BICUBIC).save(path, quality=90)
        written.append(path)
    return written


def packed(contents: list[pathlib.Path], output: pathlib.Path) -> pathlib.Path:
    """Writes a zip of files in shuffled order, under names in a different order, alternately stored and deflated."""
    order = random.Random(0)
    names, mixed = order.sample(range(len(contents)), len(contents)), order.sample(contents, len(contents))
    with zipfile.ZipFile(output, "w") as archive:
        for name, path in zip(names, mixed, strict=True):
            archive.write(path, f"{name:06d}.jpg", (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[name % 2])
    return output


def many(folder: pathlib.Path, count: int, output: pathlib.Path) -> pathlib.Path:
    """Writes a zip of `count` members, the photographs of a folder repeated under other names."""
    contents = [path.read_bytes() for path in paths(folder)]
    with zipfile.ZipFile(output, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number:06d}.jpg", contents[number % len(contents)])
    return output


def paths(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the JPEGs below a folder, sorted."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    if not found:
        raise SystemExit(f"--photographs {folder} holds no JPEG")
    return found
