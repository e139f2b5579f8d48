"""Reads the pixels of a TIFF page of any depth, layout and compression on the list of `tiff_checks`, by tifffile.

`tiff_ycbcr` reads YCbCr that is not JPEG, and Pillow old-style JPEG alone: it opens 16-bit RGB as 8 bit, does not
invert 16-bit MinIsWhite, and shows floats of 0..1 as black.
"""

import dataclasses
import io

import numpy as np
import tifffile
from PIL import Image
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, SAMPLEFORMAT

from photochrom import errors
from photochrom.imaging import tags
from photochrom.imaging.readers import tiff_checks, tiff_ycbcr
from photochrom.imaging.readers.tiff_checks import COLOURS, MAX_CHANNELS
from photochrom.imaging.stored_pixels import Samples, scale_bits, scale_floats, scale_integers, unassociate
from photochrom.imaging.tiff_directory import Directory, Reader

_GRAYS = (PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.MINISBLACK)
_LABS = (PHOTOMETRIC.CIELAB, PHOTOMETRIC.ICCLAB)
_FAX = (COMPRESSION.CCITTRLE, COMPRESSION.CCITT_T4, COMPRESSION.CCITT_T6)
_SPACES: dict[int, str] = {
    PHOTOMETRIC.RGB: "RGB", PHOTOMETRIC.YCBCR: "RGB", PHOTOMETRIC.SEPARATED: "CMYK", **dict.fromkeys(_GRAYS, "gray"),
}  # fmt: skip
# Samples of no stated type (VOID) are read as unsigned integers.
_UNSIGNED = (SAMPLEFORMAT.UINT, SAMPLEFORMAT.VOID)


def read(reader: Reader, page: Directory) -> tuple[Samples, bool]:
    """Reads one page, whose size the caller has checked.

    Returns:
        Its samples, and whether they are upright already.

    Raises:
        DecodeError: broken, or of a depth, colour space, layout or compression that is not read.
    """
    tiff_checks.check_values(reader, page)
    with tifffile.TiffFile(io.BytesIO(reader.data)) as file:
        file.filehandle.seek(page.offset)
        stored = tifffile.TiffPage(file, index=max(page.chain_index, 0))
        photometric = _photometric(reader, page, stored)
        tiff_checks.check_kind(reader, page, stored, photometric)
        if stored.compression == COMPRESSION.OJPEG:
            return _by_libtiff(reader, page), True
        notes = tiff_checks.mend_counts(reader, page, stored, photometric)
        tiff_checks.check_segments(reader, stored)
        if photometric == PHOTOMETRIC.YCBCR and stored.compression != COMPRESSION.JPEG:
            rgb = tiff_ycbcr.read(reader, page, stored)
            return Samples(rgb, "RGB", rgb.dtype, notes=notes), False
        values = stored.asarray(squeeze=False, maxworkers=1)
    values = np.moveaxis(values[:, 0], 0, 2) if values.shape[0] > 1 else values[0, 0]
    values = values.reshape(*values.shape[:2], -1)
    samples = _samples(reader, page, stored, photometric, values)
    return dataclasses.replace(samples, notes=samples.notes + notes), False


def _photometric(reader: Reader, page: Directory, stored: tifffile.TiffPage) -> int:
    """Returns the PhotometricInterpretation; where it is missing, the one that the other fields imply."""
    if tags.PHOTOMETRIC_INTERPRETATION in page.tags:
        stated = reader.number(page, tags.PHOTOMETRIC_INTERPRETATION)
        is_gray = stated == PHOTOMETRIC.YCBCR and stored.samplesperpixel == 1  # JPEG of one channel
        return PHOTOMETRIC.MINISBLACK if is_gray else stated
    if stored.compression in _FAX:
        return PHOTOMETRIC.MINISWHITE
    if stored.compression == COMPRESSION.OJPEG:
        return PHOTOMETRIC.YCBCR
    if stored.samplesperpixel == 3:
        return PHOTOMETRIC.RGB
    raise errors.DecodeError("TIFF without PhotometricInterpretation: it may be a negative", "unsupported_colour")


def _by_libtiff(reader: Reader, page: Directory) -> Samples:
    """Reads old-style JPEG, which libtiff turns into RGB, upright."""
    with Image.open(io.BytesIO(reader.data), formats=["TIFF"]) as image:
        if page.chain_index < 0:
            raise errors.DecodeError(
                "old-style JPEG in a directory under another is not read", "unsupported_compression"
            )
        if page.chain_index:
            image.seek(page.chain_index)
        if sorted(image.size) != sorted(tiff_checks.size(reader, page)) or image.mode not in ("L", "RGB"):
            raise errors.DecodeError(
                f"old-style JPEG in a TIFF that opens as {image.mode}, {image.size[0]}x{image.size[1]} px",
                "unsupported_colour",
            )
        image.load()
        values = np.asarray(image)
    return Samples(values, "gray" if values.ndim == 2 else "RGB", values.dtype)


def _samples(
    reader: Reader,
    page: Directory,
    stored: tifffile.TiffPage,
    photometric: int,
    values: np.ndarray,
) -> Samples:
    """Separates colour from opacity in [H, W, C] values, and scales both."""
    colours = COLOURS[photometric]
    colour = values[:, :, :colours]
    notes: tuple[str, ...] = ()
    alpha_at, associated, ignored = _alpha(reader, page, values.shape[2] - colours, photometric)
    if ignored:
        notes = (f"{ignored} extra channel{'s' * (ignored > 1)} ignored",)
    if photometric in _LABS:
        lab, dtype = _lab(colour, photometric, stored.bitspersample)
        alpha = None if alpha_at < 0 else _scale(values[:, :, colours + alpha_at], stored)[0]
        return Samples(lab, "Lab", dtype, alpha, notes)
    if photometric == PHOTOMETRIC.PALETTE:
        return Samples(_expand(reader, page, colour[:, :, 0], stored), "RGB", np.dtype(np.uint8), None, notes)
    colour, scaling = _scale(colour[:, :, 0] if colours == 1 else colour, stored)
    if photometric == PHOTOMETRIC.MINISWHITE:
        colour = np.iinfo(colour.dtype).max - colour
    alpha = None if alpha_at < 0 else _scale(values[:, :, colours + alpha_at], stored)[0]
    if alpha is not None and associated:
        colour = unassociate(colour, alpha)
    return Samples(colour, _SPACES[photometric], colour.dtype, alpha, scaling + notes)


def _alpha(reader: Reader, page: Directory, extra: int, photometric: int) -> tuple[int, bool, int]:
    """Returns the extra channel that is opacity (-1: none), whether colours are premultiplied, the number ignored."""
    if photometric == PHOTOMETRIC.PALETTE:
        return -1, False, extra
    kinds = reader.numbers(page, tags.EXTRA_SAMPLES, MAX_CHANNELS)[:extra]
    for i, kind in enumerate(kinds):
        if kind in (EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA):
            return i, kind == EXTRASAMPLE.ASSOCALPHA, extra - 1
    return -1, False, extra


def _scale(values: np.ndarray, stored: tifffile.TiffPage) -> tuple[np.ndarray, tuple[str, ...]]:
    """Scales samples of any type that is read to uint8 or uint16."""
    bits, kind = stored.bitspersample, int(stored.sampleformat)
    if kind == SAMPLEFORMAT.IEEEFP:
        return scale_floats(values)
    if bits == 32 and kind in (*_UNSIGNED, SAMPLEFORMAT.INT):
        return scale_integers(values)
    if kind not in _UNSIGNED:
        raise errors.DecodeError(
            f"TIFF samples of {bits} bit, {'signed' if kind == SAMPLEFORMAT.INT else f'format {kind}'}, are not "
            "supported: their value of black is not stated",
            "unsupported_depth",
        )
    return scale_bits(values, bits), (f"{bits} bit scaled to 16",) if bits in range(9, 16) else ()


def _lab(values: np.ndarray, photometric: int, bits: int) -> tuple[np.ndarray, np.dtype]:
    """Returns [H, W, 3] float32 L*a*b*. Source: TIFF 6.0, section 23; Adobe's technical note of 2002 for ICCLAB."""
    if bits not in (8, 16):
        raise errors.DecodeError(f"CIELAB of {bits} bit is not supported, expected 8 or 16", "unsupported_depth")
    dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
    white = 65280 if photometric == PHOTOMETRIC.ICCLAB and bits == 16 else 2**bits - 1
    lab = np.empty(values.shape, np.float32)
    lab[:, :, 0] = np.minimum(values[:, :, 0].astype(dtype) * (100 / white), 100)
    chroma = values[:, :, 1:].astype(dtype)
    if photometric == PHOTOMETRIC.ICCLAB:
        chroma ^= dtype.type(1 << (bits - 1))  # from offset to two's complement
    lab[:, :, 1:] = chroma.view(np.int8) if bits == 8 else chroma.view(np.int16) / np.float32(256)
    return lab, dtype


def _expand(reader: Reader, page: Directory, indices: np.ndarray, stored: tifffile.TiffPage) -> np.ndarray:
    """Returns [H, W, 3] uint8 of palette indices."""
    bits = stored.bitspersample
    if not 1 <= bits <= 16 or int(stored.sampleformat) not in _UNSIGNED:
        raise errors.DecodeError(f"palette of {bits} bit is not supported, expected 1 to 16", "unsupported_depth")
    palette = np.array(reader.numbers(page, tags.COLOR_MAP, 3 * 2**bits))
    if len(palette) != 3 * 2**bits:
        raise errors.DecodeError(f"palette of {len(palette)} values, expected {3 * 2**bits}")
    if palette.max() > 255:  # a few writers fill 8 bits of the 16
        palette = palette >> 8
    return palette.astype(np.uint8).reshape(3, -1).T[indices.astype(np.uint16)]
