"""Reads files that Pillow would cut to 8 bit, refuse or get wrong: 16-bit PNG, PPM, AVIF, JPEG and JPEG 2000."""

import struct
from typing import NamedTuple

import imagecodecs
import numpy as np

from photochrom import errors
from photochrom.imaging.readers import jpeg
from photochrom.imaging.stated_colour import CodePoints
from photochrom.imaging.stored_pixels import Samples, of_channels, scale_bits

_CODESTREAM = b"\xff\x4f\xff\x51"
_GRAY_ALPHA, _RGB_ALPHA = 4, 6
_ENUMERATED_CMYK, _ENUMERATED_SYCC = 12, 18


def is_deep_png(data: bytes) -> bool:
    """Whether the content is a PNG of 16 bit."""
    return data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR" and data[24:25] == b"\x10"


def read_png(data: bytes) -> Samples:
    """Reads a 16-bit PNG of any colour type; a transparent colour (tRNS) becomes opacity."""
    values = imagecodecs.png_decode(data)
    channels = 1 if values.ndim == 2 else values.shape[2]
    return of_channels(values, has_alpha=channels in (2, 4))


def is_deep_jpeg(data: bytes) -> bool:
    """Whether the content is a JPEG that is not of 8 bit, or a lossless one."""
    if data[:3] != b"\xff\xd8\xff":
        return False
    try:
        frame = jpeg.frame(data)
    except errors.DecodeError:
        return False
    return frame.precision != 8 or frame.is_lossless


def read_jpeg(data: bytes) -> Samples:
    """Reads a JPEG of 2..16 bit, whose frame's size the caller has checked.

    Raises:
        DecodeError: truncated, or not gray or RGB.
    """
    frame = jpeg.frame(data)
    if not jpeg.is_complete(data, frame):
        raise errors.DecodeError("truncated JPEG")
    if frame.components not in (1, 3):
        raise errors.DecodeError(f"{frame.components} channels of {frame.precision} bit", "unsupported_colour")
    values = imagecodecs.jpeg8_decode(data)
    notes = (f"{frame.precision} bit scaled to 16",) if 8 < frame.precision < 16 else ()
    return of_channels(scale_bits(values, frame.precision), has_alpha=False, notes=notes)


class Codestream(NamedTuple):
    """The SIZ segment of a JPEG 2000 codestream (ISO 15444-1, A.5.1): size in px; bits, sign and subsampling of
    each channel.
    """

    width: int
    height: int
    bits: tuple[int, ...]
    signed: tuple[bool, ...]
    steps: tuple[tuple[int, int], ...]


def codestream(data: bytes) -> Codestream | None:
    """Returns the header of the first JPEG 2000 codestream, or None."""
    start = data.find(_CODESTREAM)
    if start < 0 or len(data) < start + 42:
        return None
    right, bottom, left, top = struct.unpack_from(">4I", data, start + 8)
    (channels,) = struct.unpack_from(">H", data, start + 40)
    table = data[start + 42 : start + 42 + 3 * channels]
    if len(table) < 3 * channels:
        return None
    return Codestream(
        width=right - left,
        height=bottom - top,
        bits=tuple((value & 127) + 1 for value in table[::3]),
        signed=tuple(value > 127 for value in table[::3]),
        steps=tuple(zip(table[1::3], table[2::3], strict=True)),
    )


def is_deep(header: Codestream) -> bool:
    """Whether a JPEG 2000 file has more than 8 bit, or signed samples, in any channel."""
    return max(header.bits, default=0) > 8 or any(header.signed)


def read_jpeg2000(data: bytes, header: Codestream, colour: int) -> Samples:
    """Reads JPEG 2000 of 9..16 bit, whose size the caller has checked.

    Args:
        data: the file.
        header: of its codestream.
        colour: the enumerated colour space of its box `colr`, 0 for none.

    Raises:
        DecodeError: broken, or channels with a sign, of different depths or sizes, or in YCC.
    """
    channels = len(header.bits)
    if len(set(header.bits)) > 1 or any(header.signed):
        raise errors.DecodeError(
            f"JPEG 2000 channels of {header.bits} bit, signed {header.signed}, are not supported", "unsupported_depth"
        )
    if channels > 4 or set(header.steps) != {(1, 1)} or colour == _ENUMERATED_SYCC:
        raise errors.DecodeError(
            f"JPEG 2000 of {channels} channels, subsampled {header.steps}, colour space {colour} is not supported in "
            f"{header.bits[0]} bit",
            "unsupported_colour",
        )
    bits = header.bits[0]
    values = scale_bits(imagecodecs.jpeg2k_decode(data, numthreads=1), bits)
    notes = (f"{bits} bit scaled to 16",) if bits < 16 else ()
    if channels == 4 and colour == _ENUMERATED_CMYK:
        return Samples(values, "CMYK", values.dtype, None, notes)
    return of_channels(values, has_alpha=channels in (2, 4), notes=notes)


def read_palette_jpeg2000(data: bytes) -> Samples:
    """Reads JPEG 2000 with a palette, whose size the caller has checked: Pillow drops duplicate colours,
    which shifts all later indices.
    """
    values = imagecodecs.jpeg2k_decode(data, numthreads=1)
    if values.dtype != np.uint8:
        raise errors.DecodeError(f"JPEG 2000 with a palette of {values.dtype}", "unsupported_depth")
    return of_channels(values, has_alpha=values.ndim == 3 and values.shape[2] in (2, 4))


def avif_bits(data: bytes) -> int:
    """Returns the bits a channel of an AVIF: 8, 10 or 12. Source: AV1-ISOBMFF 1.2, 2.3.3, the box av1C."""
    box = data.find(b"av1C")
    flags = data[box + 6] if 0 <= box < len(data) - 6 else 0
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10


def avif_code_points(data: bytes) -> CodePoints | None:
    """Returns the code points of the first box colr of an AVIF that has any. Source: ISO/IEC 14496-12, 12.1.5."""
    box = data.find(b"colrnclx")
    if not 0 <= box <= len(data) - 12:
        return None
    return CodePoints(*struct.unpack_from(">HH", data, box + 8))


def read_avif(data: bytes) -> Samples:
    """Reads the first frame of an AVIF of 10 or 12 bit, whose size the caller has checked."""
    bits = avif_bits(data)
    values = imagecodecs.avif_decode(data, 0, numthreads=1)
    if values.dtype != np.uint16 or int(values.max()) >= 2**bits:
        raise errors.DecodeError(f"AVIF of {bits} bit that comes out as {values.dtype}", "unsupported_depth")
    has_alpha = values.ndim == 3 and values.shape[2] in (2, 4)
    return of_channels(scale_bits(values, bits), has_alpha, (f"{bits} bit scaled to 16",))


def read_ppm(data: bytes, offset: int, width: int, height: int, full: int) -> Samples:
    """Reads the two-byte samples of a binary PPM whose maximum is `full`, 256..65535.

    Raises:
        DecodeError: truncated.
    """
    count = 3 * width * height
    if len(data) < offset + 2 * count:
        raise errors.DecodeError(f"truncated: {len(data) - offset} bytes of pixels, expected {2 * count}")
    values = np.frombuffer(data, ">u2", count, offset).reshape(height, width, 3)
    table = (np.minimum(np.arange(65536), full) * 65535 + full // 2) // full
    return of_channels(table.astype(np.uint16)[values.astype(np.uint16)], has_alpha=False)
