"""Writes a coloured copy and the files beside it; each file is complete or absent."""

import contextlib
import dataclasses
import hashlib
import io
import tempfile
from collections.abc import Iterator
from typing import IO

import numpy as np

from photochrom.imaging.picture import Picture
from photochrom.storage import files
from serving.copies import encode, formats, label, metadata
from serving.copies.frame import Frame
from serving.copies.options import CopyOptions
from serving.copies.provenance import MEDIA_TYPES, Provenance
from serving.copies.raster import Raster
from serving.credentials import signer

# The copy of a picture with more pixels is encoded into a file on disk.
_PIXELS_IN_MEMORY = 10_000_000
_PIECE_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class Written:
    """A copy that was written.

    Attributes:
        path: of the copy, below the output folder.
        sha256: digest of its bytes, hex.
        format: its format.
        height, width: its size, px.
        sidecars: path below the output folder -> digest, of the files beside it.
        notes: properties of the original that were lost, replaced or put beside the copy.
    """

    path: str
    sha256: str
    format: str
    height: int
    width: int
    sidecars: dict[str, str]
    notes: tuple[str, ...]


def write(
    output: str, path: str, picture: Picture, ab: np.ndarray, provenance: Provenance, options: CopyOptions
) -> Written:
    """Writes the copy of a picture below the folder `output`.

    Args:
        output: the output folder.
        path: of the copy if its format is kept, below the output folder.
        picture: the decoded original.
        ab: [h, w, 2] float32 CIE a*, b*.
        provenance: for its XMP.
        options: how it is made.

    Raises:
        OSError: it cannot be written.
        DataError: it cannot be encoded or signed.
    """
    with _workspace(picture) as file:
        raster, format, notes = plan(picture, ab, options)
        height, width, _ = raster.shape
        blocks = metadata.prepare(picture.metadata, provenance, format, _frame(picture, height))
        path = formats.file_name(path, format)
        encode.encode(file, format, raster, blocks, options)
        with _signed(file, picture, provenance, format, blocks, options) as finished:
            sidecars = {path + suffix: data for suffix, data in sorted(blocks.sidecars.items())}
            for name, data in sidecars.items():
                files.write_bytes(files.join(output, name), data)
            digest = _copy(finished, files.join(output, path))
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sidecars.items()}
    return Written(path, digest, format.name, height, width, digests, (*notes, *blocks.notes))


@contextlib.contextmanager
def _signed(
    file: IO[bytes], picture: Picture, provenance: Provenance, format: formats.Format, blocks: metadata.Blocks,
    options: CopyOptions,
) -> Iterator[IO[bytes]]:  # fmt: skip
    """Opens the encoded copy with its C2PA manifest, or the copy itself if it is not signed or cannot carry one."""
    if not options.credentials:
        yield file
        return
    with _workspace(picture) as signed:
        manifest = options.credentials.sign(
            file, signed, MEDIA_TYPES[format.name], provenance.c2pa_manifest(picture.format)
        )
        if manifest:
            blocks.sidecars[signer.SUFFIX] = manifest
            blocks.notes.append(f"the copy cannot carry its C2PA manifest, which is beside it, in {signer.SUFFIX}")
        yield file if manifest else signed


def _frame(picture: Picture, copy_height: int) -> Frame:
    height, width = picture.pixels.shape[:2]
    return Frame(width, height, picture.metadata.orientation, copy_height - height)


def plan(picture: Picture, ab: np.ndarray, options: CopyOptions) -> tuple[Raster, formats.Format, tuple[str, ...]]:
    """Decides on format, depth, opacity and label; returns the pixels, their format, and notes."""
    height, width = picture.pixels.shape[:2]
    mark = label.make(options.mark, options.mark_text, height, width)
    added = mark.added_rows if mark else 0
    format, notes = formats.choose(picture.format, options.format, width, height + added)
    is_deep = picture.pixels.dtype == np.uint16
    if is_deep and not format.has_uint16:
        notes += (f"a {format.name} holds 8 bit a channel, the original has 16",)
    if picture.alpha is not None and not format.has_alpha:
        notes += (f"a {format.name} holds no opacity; the picture is composed over white",)
    if added:
        notes += (f"a border of {added} px with a label was added below the picture",)
    depth = np.uint16 if is_deep and format.has_uint16 else np.uint8
    return Raster(picture, ab, depth, format.has_alpha, options.saturation, mark), format, notes


@contextlib.contextmanager
def _workspace(picture: Picture) -> Iterator[IO[bytes]]:
    """Opens an empty file to write, read and seek in."""
    if picture.source_height * picture.source_width <= _PIXELS_IN_MEMORY:
        yield io.BytesIO()
        return
    with tempfile.NamedTemporaryFile() as file:  # tifffile asks an open file for its name
        try:
            yield file  # type: ignore[misc]
        except OSError as error:
            error.filename = error.filename or file.name  # distinguishes it from the output's
            raise


def _copy(source: IO[bytes], path: str) -> str:
    """Copies a file to its place; returns the digest of its bytes, hex."""
    digest = hashlib.sha256()
    source.seek(0)
    with files.create(path) as target:
        while piece := source.read(_PIECE_BYTES):
            digest.update(piece)
            target.write(piece)
    return digest.hexdigest()
