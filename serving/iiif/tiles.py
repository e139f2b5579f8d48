"""Image services of level 0: a picture as static JPEG files, which any web server or bucket serves.

Source of the names: IIIF Image API 3.0, sections 4 (region, size, canonical form) and 5 (info.json). A picture of at
most `SMALL` px is one file; a larger one has tiles as well, at each power of two down to the level that is one tile.
"""

import io
import json
from collections.abc import Iterator

import numpy as np
from PIL import Image

from photochrom import errors
from photochrom.imaging import resizing
from photochrom.storage import files
from serving.iiif.layout import FULL, INFO, PublishPaths

# px of the side of a tile, and of the longer side of a picture that has no tiles.
TILE, SMALL = 512, 1024
# The longest side that a JPEG can have, px.
_LONGEST = 65_500
_QUALITY = 90
# The most bytes of XMP that a JPEG holds in one segment, with its name.
_MOST_XMP_BYTES = 65_000
_MOST_INFO_BYTES = 1 << 16

Size = tuple[int, int]  # height, width, px


def known(paths: PublishPaths, folder: str, url: str) -> Size | None:
    """Returns the size of a picture that was written before, by its info.json, the last of its files; else None.

    Args:
        paths: of the publication.
        folder: the image service.
        url: its URL; an info.json with another one is replaced.
    """
    try:
        with files.open_read(paths.at(f"{folder}/{INFO}")) as file:
            found = json.loads(file.read(_MOST_INFO_BYTES))
        size = found["height"], found["width"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if not all(type(side) is int and 1 <= side <= _LONGEST for side in size):
        return None
    if found != info(url, size):
        write_info(paths, folder, url, size)
    return size


def write(paths: PublishPaths, folder: str, url: str, pixels: np.ndarray, xmp: bytes = b"") -> Size:
    """Writes the files of a picture, its info.json last; returns its size.

    Args:
        paths: of the publication.
        folder: the image service.
        url: its URL.
        pixels: [H, W] gray or [H, W, 3] sRGB, uint8.
        xmp: packet for the full picture, or b"".

    Raises:
        DataError: a side is too long for a JPEG.
    """
    height, width = pixels.shape[:2]
    if max(height, width) > _LONGEST:
        text = f"the picture is {width}x{height} px, and a JPEG has at most {_LONGEST} px a side"
        raise errors.DataError(text, "too_large", "publish")
    if is_large((height, width)):
        for name, tile in _tiles(pixels):
            paths.write(f"{folder}/{name}/0/default.jpg", to_jpeg(tile))
    paths.write(f"{folder}/{FULL}", to_jpeg(pixels, xmp))
    write_info(paths, folder, url, (height, width))
    return height, width


def write_info(paths: PublishPaths, folder: str, url: str, size: Size) -> None:
    """Writes the info.json of a picture, which states that all its other files exist."""
    paths.write(f"{folder}/{INFO}", json.dumps(info(url, size), indent=1).encode())


def is_large(size: Size) -> bool:
    """Whether a picture has tiles."""
    return max(size) > SMALL


def thumbnail(size: Size) -> tuple[str, Size]:
    """Returns the file of the smallest form of a picture, below its service, and the size of that."""
    if not is_large(size):
        return FULL, size
    height, width = _at(size, _factors(size)[-1])
    return f"full/{width},{height}/0/default.jpg", (height, width)


def info(url: str, size: Size) -> dict[str, object]:
    """Returns the image information document of a service."""
    height, width = size
    found = {
        "@context": "http://iiif.io/api/image/3/context.json",
        "id": url,
        "type": "ImageService3",
        "protocol": "http://iiif.io/api/image",
        "profile": "level0",
        "width": width,
        "height": height,
    }
    if not is_large(size):
        return found
    _, (least_height, least_width) = thumbnail(size)
    sizes = [{"width": least_width, "height": least_height}, {"width": width, "height": height}]
    return {**found, "sizes": sizes, "tiles": [{"width": TILE, "height": TILE, "scaleFactors": _factors(size)}]}


def _factors(size: Size) -> list[int]:
    """Returns the scale factors, 1, 2, 4 ..., up to the first at which the picture is one tile."""
    factors = [1]
    while max(_at(size, factors[-1])) > TILE:
        factors.append(2 * factors[-1])
    return factors


def _at(size: Size, factor: int) -> Size:
    height, width = size
    return -(-height // factor), -(-width // factor)


def _tiles(pixels: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yields (region/size, pixels) of all tiles; each level is made from the one above it."""
    size: Size = pixels.shape[:2]  # type: ignore[assignment]
    for factor in _factors(size):
        pixels = resizing.resize(pixels, *_at(size, factor))
        for top in range(0, pixels.shape[0], TILE):
            for left in range(0, pixels.shape[1], TILE):
                tile = pixels[top : top + TILE, left : left + TILE]
                region = _region(size, top * factor, left * factor, TILE * factor)
                yield f"{region}/{tile.shape[1]},{tile.shape[0]}", tile


def _region(size: Size, top: int, left: int, side: int) -> str:
    """Returns the canonical name of a region, which is `full` for all of the picture."""
    height, width = min(side, size[0] - top), min(side, size[1] - left)
    return "full" if (height, width) == size else f"{left},{top},{width},{height}"


def to_jpeg(pixels: np.ndarray, xmp: bytes = b"") -> bytes:
    """Returns [H, W] gray or [H, W, 3] sRGB uint8 as a JPEG; XMP that does not fit is left out."""
    file = io.BytesIO()
    more = {"xmp": xmp} if 0 < len(xmp) <= _MOST_XMP_BYTES else {}
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=_QUALITY, **more)
    return file.getvalue()
