"""Reads JPEG XL, bare or in a container, by libjxl (pyjpegxl), upright.

imagecodecs and its like give no profile of the pixels, which lossless files store in the space of the original.

Source: ISO/IEC 18181-2:2024, section 9 (boxes): the codestream's orientation counts, EXIF's does not.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np

from photochrom import errors
from photochrom.imaging import boxes, embedded_metadata, icc
from photochrom.imaging.picture import check_size, to_uint8
from photochrom.imaging.readers import jpegxl_header
from photochrom.imaging.readers.jpegxl_header import ALPHA, BLACK, Header
from photochrom.imaging.stored_pixels import Samples, of_channels, scale_bits, unassociate

_CODESTREAM = b"\xff\x0a"
_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
_MAX_BLOCK_BYTES = 16_000_000
_BLOCKS = (b"Exif", b"xml ")


def is_jpegxl(data: bytes) -> bool:
    """Returns whether the content begins like a JPEG XL file."""
    return data.startswith((_CODESTREAM, _CONTAINER))


def read(data: bytes, max_pixels: int) -> tuple[Samples, embedded_metadata.Embedded]:
    """Reads the first frame; 9 to 16 bit and floating point become 16.

    Raises:
        TooLarge: more than max_pixels, by its header.
        DecodeError: broken, or in inks.
    """
    import pyjpegxl  # seven megabytes, which most helpers never need

    header = jpegxl_header.parse(_codestream(data))
    check_size(header.width, header.height, max_pixels)
    if BLACK in header.extra:
        raise errors.DecodeError("JPEG XL in CMYK is not read, expected gray or RGB", "unsupported_colour")
    pyjpegxl.set_num_threads(1)
    # The decoder converts pixels in XYB to sRGB, or to linear light where the original had a profile: coarse in 8 bit.
    dtype = "uint8" if header.bits <= 8 and not header.is_xyb else "uint16"
    if header.is_animation:
        found, values = pyjpegxl.probe(data), _first_frame(data, header)
    else:
        found, values = _decoded(data, dtype)
    samples = _samples(values, header, found)
    if values.dtype == np.uint16 and header.bits <= 8:
        samples = _as_8_bit(samples)
    return samples, _metadata(data, _original_profile(samples.profile, header))


def _decoded(data: bytes, dtype: str) -> tuple[Any, np.ndarray]:
    import pyjpegxl

    try:
        return pyjpegxl.decode_to_numpy(data, dtype=dtype)
    except RuntimeError as error:
        raise errors.DecodeError(
            f"JPEG XL that is broken, or needs more memory than the decoder may take: {error}"
        ) from error


def _first_frame(data: bytes, header: Header) -> np.ndarray:
    """Returns [H, W, C] uint8 or uint16 of the first frame; pyjpegxl gives the last."""
    if header.is_float:
        raise errors.DecodeError("JPEG XL animation of floating point is not read", "unsupported_depth")
    values = imagecodecs.jpegxl_decode(data, index=0, numthreads=1)
    return scale_bits(values.reshape(*values.shape[:2], -1), header.bits)


def _as_8_bit(samples: Samples) -> Samples:
    """Converts samples by their profile before they are reduced to 8 bit."""
    values, notes = icc.to_srgb(samples, samples.profile)
    alpha = None if samples.alpha is None else to_uint8(samples.alpha)
    return Samples(to_uint8(values), samples.space, np.dtype(np.uint8), alpha, samples.notes + notes)


def _codestream(data: bytes) -> bytes:
    """Returns the begin of the codestream."""
    if data.startswith(_CODESTREAM):
        return data[:4096]
    for kind, begin, end in boxes.walk(data):
        if kind in (b"jxlc", b"jxlp"):
            return data[begin + 4 * (kind == b"jxlp") : end][:4096]
    raise errors.DecodeError("JPEG XL container without a codestream")


def _samples(values: np.ndarray, header: Header, found: Any) -> Samples:
    has_alpha = bool(found.has_alpha)
    notes: tuple[str, ...] = ("floating point samples taken as 0..1",) if header.is_float else ()
    if 8 < header.bits < 16 and not header.is_float:
        notes = (f"{header.bits} bit scaled to 16",)
    if header.is_animation:
        notes += ("first frame of an animation",)
    ignored = sum(kind != ALPHA for kind in header.extra)
    if ignored:
        notes += (f"{ignored} extra channel{'s' * (ignored > 1)} ignored",)
    samples = of_channels(values[:, :, : found.num_color_channels + has_alpha], has_alpha, notes)
    samples = dataclasses.replace(samples, profile=bytes(found.icc or b""))
    if samples.alpha is None or not header.is_premultiplied:
        return samples
    return dataclasses.replace(samples, values=unassociate(samples.values, samples.alpha))


def _original_profile(profile: bytes, header: Header) -> bytes:
    """Returns the profile that the file was made with, b"" for one that the decoder made of the file's numbers."""
    is_rgb = profile[icc.SPACE] == b"RGB "
    return profile if is_rgb and not header.is_xyb and not icc.is_srgb(profile) else b""


def _metadata(data: bytes, profile: bytes) -> embedded_metadata.Embedded:
    found: dict[bytes, bytes] = {}
    notes: tuple[str, ...] = ()
    for kind, content in _blocks(data):
        if len(content) > _MAX_BLOCK_BYTES:
            notes += (f"JPEG XL box {kind.decode().strip()} is broken or over {_MAX_BLOCK_BYTES} bytes: not kept",)
        else:
            found.setdefault(kind, content)
    exif = found.get(b"Exif", b"")
    start = 4 + int.from_bytes(exif[:4], "big")
    return embedded_metadata.of_blocks(exif[start:], found.get(b"xml ", b""), profile, notes)


def _blocks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields kind and content of the boxes of EXIF and XMP, unpacked; too much content for one that cannot be."""
    for kind, begin, end in boxes.walk(data) if data.startswith(_CONTAINER) else ():
        if kind in _BLOCKS:
            yield kind, data[begin:end]
        elif kind == b"brob" and data[begin : begin + 4] in _BLOCKS:
            yield data[begin : begin + 4], _unpacked(data[begin + 4 : end])


def _unpacked(packed: bytes) -> bytes:
    try:
        return bytes(imagecodecs.brotli_decode(packed, out=_MAX_BLOCK_BYTES + 1))
    except Exception:  # of brotli: broken, or larger than that
        return bytes(_MAX_BLOCK_BYTES + 1)
