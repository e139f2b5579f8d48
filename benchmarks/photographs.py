"""Photographs for the benchmarks: real ones out of a folder, brought to the sizes that are measured."""

import itertools
import pathlib
import zipfile

from PIL import Image


def resized(folder: pathlib.Path, size: tuple[int, int], count: int, output: pathlib.Path) -> list[pathlib.Path]:
    """Writes `count` JPEGs of `size` (width, height), px, from the photographs of a folder; returns their paths."""
    output.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, source in zip(range(count), itertools.cycle(_photographs(folder)), strict=False):
        path = output / f"{number:05d}.jpg"
        with Image.open(source) as image:
            image.convert("RGB").resize(size, Image.Resampling.BICUBIC).save(path, quality=90)
        paths.append(path)
    return paths


def many(folder: pathlib.Path, count: int, output: pathlib.Path) -> pathlib.Path:
    """Writes a zip of `count` members, the photographs of a folder again and again under other names."""
    contents = [path.read_bytes() for path in _photographs(folder)]
    with zipfile.ZipFile(output, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number:06d}.jpg", contents[number % len(contents)])
    return output


def _photographs(folder: pathlib.Path) -> list[pathlib.Path]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    if not paths:
        raise SystemExit(f"--photographs {folder} holds no JPEG")
    return paths
