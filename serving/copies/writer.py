"""Writes a coloured copy and what belongs beside it, whole or not at all."""

import contextlib
import dataclasses
import hashlib
import io
import struct
import tempfile
from collections.abc import Iterator
from typing import IO

import numpy as np

from photochrom import errors
from photochrom.imaging.picture import Picture
from photochrom.storage import files
from serving.config import ColorizeConfig
from serving.copies import encode, formats, label, metadata
from serving.copies.provenance import Provenance
from serving.copies.raster import Raster

# The copy of a picture with more pixels is put together on disk.
_PIXELS_IN_MEMORY = 10_000_000
_PIECE_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        path: of the copy, below the output folder.
        sha256: digest of its bytes, hex.
        format: its format.
        height, width: its size, px.
        sidecars: path below the output folder -> digest, of the files beside it.
        notes: what could not be kept, what was replaced, what lies beside it.
    """

    path: str
    sha256: str
    format: str
    height: int
    width: int
    sidecars: dict[str, str]
    notes: tuple[str, ...]


def write(path: str, picture: Picture, ab: np.ndarray, provenance: Provenance, config: ColorizeConfig) -> Written:
    """Writes the copy of a picture below `config.output`.

    Args:
        path: where it goes if its format is kept, below the output folder.
        picture: the decoded original.
        ab: [h, w, 2] float32 CIE a*, b*.
        provenance: what is said in its XMP.
        config: the job's settings.

    Raises:
        OSError: it cannot be written.
        DataError: it cannot be encoded.
    """
    raster, format, notes = plan(picture, ab, config)
    height, width, _ = raster.shape
    prepared = metadata.prepare(picture.metadata, provenance, format, width, height)
    path = formats.file_name(path, format)
    with _workspace(height * width) as file:
        options = encode.Options(config.quality, config.subsampling)
        _encode(file, format, raster, prepared, options)
        sidecars = {path + end: data for end, data in sorted(prepared.sidecars.items())}
        for name, data in sidecars.items():
            files.write_bytes(files.join(config.output, name), data)
        digest = _copy(file, files.join(config.output, path))
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sidecars.items()}
    return Written(path, digest, format.name, height, width, digests, (*notes, *prepared.notes))


def plan(picture: Picture, ab: np.ndarray, config: ColorizeConfig) -> tuple[Raster, formats.Format, tuple[str, ...]]:
    """Decides on format, depth, opacity and label; returns the pixels to be, their format, and notes."""
    height, width = picture.pixels.shape[:2]
    mark = label.make(config.mark, config.mark_text, height, width)
    added = mark.added_rows if mark else 0
    format, notes = formats.choose(picture.format, config.format, width, height + added)
    is_deep = picture.pixels.dtype == np.uint16
    if is_deep and not format.has_uint16:
        notes += (f"a {format.name} holds 8 bit a channel, the original has 16",)
    if picture.alpha is not None and not format.has_alpha:
        notes += (f"a {format.name} holds no opacity; the picture is laid over white",)
    if added:
        notes += (f"a border of {added} px with a label was added below the picture",)
    depth = np.uint16 if is_deep and format.has_uint16 else np.uint8
    return Raster(picture, ab, depth, format.has_alpha, config.saturation, mark), format, notes


def _encode(
    file: IO[bytes], format: formats.Format, raster: Raster, prepared: metadata.Blocks, options: encode.Options
) -> None:
    try:
        encode.encode(file, format, raster, prepared, options)
    except (ValueError, TypeError, OverflowError, RuntimeError, struct.error) as error:
        message = f"cannot be encoded as {format.name}: {type(error).__name__}: {error}"
        raise errors.DataError(message, "unencodable", "write") from error


@contextlib.contextmanager
def _workspace(pixels: int) -> Iterator[IO[bytes]]:
    """Opens an empty file to write, read and seek in."""
    if pixels <= _PIXELS_IN_MEMORY:
        yield io.BytesIO()
        return
    with tempfile.NamedTemporaryFile() as file:  # tifffile asks an open file for its name
        try:
            yield file  # type: ignore[misc]
        except OSError as error:
            error.filename = error.filename or file.name  # or it is not told from the output's
            raise


def _copy(source: IO[bytes], path: str) -> str:
    """Copies a file to where it belongs; returns the digest of its bytes, hex."""
    digest = hashlib.sha256()
    source.seek(0)
    with files.create(path) as target:
        while piece := source.read(_PIECE_BYTES):
            digest.update(piece)
            target.write(piece)
    return digest.hexdigest()
