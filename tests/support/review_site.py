"""Review pages of made-up rows: all of the page but the Beam job that makes the thumbnails."""

import hashlib
import itertools
import os
import pathlib

import numpy as np
from PIL import Image

from photochrom.sources.source import Source
from serving.manifest.reader import Account
from serving.manifest.rows import DONE, FAILED, SKIPPED, Row, Run, Summary
from serving.review import items, site, thumbnails
from serving.review.items import Item, Order
from serving.review.layout import Thumbnail

RUN = Run(1, "2026-01-31T12:00:00Z", "2026-01-31T12:01:00Z", "1", "tint", "m", "s", 0, 0, 0, 0)
# Red, green, blue, skin and a gray, each a fifth of the picture.
COLOURS = ((200, 40, 40), (40, 160, 60), (50, 70, 190), (224, 172, 140), (128, 128, 128))


def picture(width: int = 400, height: int = 300) -> np.ndarray:
    """Returns [H, W, 3] stripes of COLOURS."""
    stripes = np.repeat(np.array(COLOURS, np.uint8)[None], height, axis=0)
    return np.repeat(stripes, width // len(COLOURS), axis=1)


def picture_row(key: str, confidence: float = 0.5, **values) -> Row:
    """Returns the row of a coloured copy in its usual place."""
    values = {
        "output": f"images/{key}", "output_sha256": hashlib.sha256(key.encode()).hexdigest(),
        "height": 300, "width": 400, "format": "PNG", "kind": "gray", "run": 1, "confidence": confidence, **values,
    }  # fmt: skip
    return Row.of(Source(key, key), **values)


def write(output: pathlib.Path, rows: list[Row], chroma: int = 123) -> pathlib.Path:
    """Writes the page of some rows, whose copies are all the same picture; returns the path of index.html."""
    order = Order()
    for row in rows:
        order.add(row)
    placed = sorted(((order.place(row), _item(row, chroma)) for row in rows), key=lambda pair: pair[0])
    written = [
        items.write((place, [item for _, item in group]), str(output))
        for place, group in itertools.groupby(placed, key=lambda pair: pair[0])
    ]
    _write_pictures(output, [row for row in rows if row.output], chroma)
    counts = {status: sum(row.status == status for row in rows) for status in (DONE, SKIPPED, FAILED)}
    account = Account(Summary(len(rows), **counts), {1: RUN}, False)
    return pathlib.Path(site.write(str(output), written, site.describe(str(output), account)))


def _item(row: Row, chroma: int) -> Item:
    return Item(row, Thumbnail(row.output_sha256, chroma, False)) if row.output else Item(row)


def _write_pictures(output: pathlib.Path, rows: list[Row], chroma: int) -> None:
    """Writes one copy and one thumbnail, and links to them under all names."""
    first_copy, first_thumbnail = output / "copy.png", output / "thumbnail.webp"
    output.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture()).save(first_copy)
    first_thumbnail.write_bytes(thumbnails.to_webp(picture()))
    for row in rows:
        thumbnail = output / "review" / Thumbnail(row.output_sha256, chroma, False).path
        for first, path in ((first_copy, output / row.output), (first_thumbnail, thumbnail)):
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(first, path)
