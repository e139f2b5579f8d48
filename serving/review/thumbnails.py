"""The thumbnail of a copy, and a larger picture where browsers cannot show the copy itself.

Only the coloured picture is stored. The page makes the gray one from it, by L*: the L* of a copy is that of its scan.
"""

import hashlib
import io
from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

from photochrom import errors
from photochrom.color import cielab, difference
from photochrom.imaging import resizing
from photochrom.imaging.picture import Picture
from photochrom.imaging.sandbox.decoder import Decoder
from photochrom.storage import files
from photochrom.storage.names import printable
from serving.manifest import digests
from serving.review.layout import THUMBS, ReviewPaths, Thumbnail, view_path

# px of the longer side.
SIZE, VIEW_SIZE = 400, 2048
# Formats that all browsers show, up to this many px: decoding more takes a phone its memory.
_SHOWN, _SHOWN_PIXELS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"), 40_000_000
# A review of 1,000 pictures takes 20 MB; at 85 it takes a third more.
_QUALITY = 75


def existing(output: str) -> Iterator[Thumbnail]:
    """Yields the thumbnails that earlier reviews made, by one listing."""
    folder = ReviewPaths(output).at(THUMBS)
    names = (info.path.removeprefix(f"{folder}/") for info in files.list_folder(folder))
    return (found for found in map(Thumbnail.parse, names) if found)


def make(output: str, names: Iterable[str], sha256: str, decoder: Decoder) -> Thumbnail | str:
    """Makes the thumbnail of a copy; returns why there is none if no file can be read.

    Args:
        output: the output folder.
        names: paths below it of copies with the same bytes; the first that can be read is taken.
        sha256: the digest that their rows state.
        decoder: decodes the copy.
    """
    problem = ""
    for name in sorted(set(names)):
        try:
            return _write(output, _read(output, name, sha256), sha256, decoder)
        except errors.DataError as error:
            problem = problem or str(error)
    return problem


def _read(output: str, name: str, sha256: str) -> bytes:
    problem = digests.problem_of_file(output, name)
    if problem:
        raise errors.ReadError(f"the copy {problem}")
    try:
        data = files.read_bytes(files.join(output, name))
    except FileNotFoundError as error:
        raise errors.ReadError(f"the copy {digests.MISSING}") from error
    except OSError as error:
        raise errors.ReadError(f"the copy cannot be read: {printable(str(error))[:200]}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise errors.ReadError("the copy was changed since its row was written; photochrom verify names such files")
    return data


def _write(output: str, data: bytes, sha256: str, decoder: Decoder) -> Thumbnail:
    picture = decoder.decode(data, draft_size=SIZE)
    rgb = shrink(picture.opaque_rgb(), SIZE)
    chroma = round(10 * difference.mean_chroma(cielab.rgb_to_lab(rgb)))
    made, paths = Thumbnail(sha256, chroma, _needs_view(picture)), ReviewPaths(output)
    if made.has_view:
        full = decoder.decode(data, draft_size=VIEW_SIZE) if picture.format == "JPEG" else picture
        paths.write(view_path(sha256), to_webp(shrink(full.opaque_rgb(), VIEW_SIZE)))
    paths.write(made.path, to_webp(rgb))  # last: its name states that the view exists
    return made


def _needs_view(picture: Picture) -> bool:
    return picture.format not in _SHOWN or picture.source_height * picture.source_width > _SHOWN_PIXELS


def shrink(rgb: np.ndarray, size: int) -> np.ndarray:
    """Returns [H, W, 3] pixels with a longer side of at most `size` px."""
    return resizing.fit(rgb, min(size, max(rgb.shape[:2])))


def to_webp(rgb: np.ndarray) -> bytes:
    """Returns [H, W, 3] uint8 sRGB as a lossy WebP."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "WEBP", quality=_QUALITY, method=4)
    return file.getvalue()
