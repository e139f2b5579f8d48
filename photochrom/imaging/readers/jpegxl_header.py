"""Parses the header of a JPEG XL codestream: size, depth and channels, before anything is allocated.

Source: ISO/IEC 18181-1:2024, annex D (SizeHeader, ImageMetadata) and B.2 for the types of fields.
"""

import dataclasses

from photochrom import errors

_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
# U32: (value, count of more bits) for each selector.
_SIZE = ((1, 9), (1, 13), (1, 18), (1, 30))
_ENUM = ((0, 0), (1, 0), (2, 4), (18, 6))
_INTEGER_BITS, _FLOAT_BITS = ((8, 0), (10, 0), (12, 0), (1, 6)), ((32, 0), (16, 0), (24, 0), (1, 6))
_CHANNELS = ((0, 0), (1, 0), (2, 4), (1, 12))
ALPHA, BLACK, _SPOT, _CFA = 0, 4, 2, 5
_MAX_EXTRA = 64


@dataclasses.dataclass(frozen=True)
class Header:
    """A codestream's header.

    Attributes:
        width, height: as shown upright, px.
        bits: of a sample.
        is_float: whether samples are floating point numbers.
        extra: kinds of the channels besides colour: ALPHA, BLACK ...
        is_premultiplied: whether colours are multiplied by the opacity.
        is_animation: whether frames may follow the first.
        is_xyb: whether colours are stored in XYB, which the decoder converts.
    """

    width: int
    height: int
    bits: int = 8
    is_float: bool = False
    extra: tuple[int, ...] = ()
    is_premultiplied: bool = False
    is_animation: bool = False
    is_xyb: bool = True


class _Bits:
    """Reads fields from the lowest bit of each byte on."""

    def __init__(self, data: bytes):
        self._value = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def u(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise errors.DecodeError("truncated: a JPEG XL header ends early")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        return value

    def flag(self) -> bool:
        return bool(self.u(1))

    def u32(self, table: tuple[tuple[int, int], ...]) -> int:
        base, count = table[self.u(2)]
        return base + self.u(count)


def parse(codestream: bytes) -> Header:
    """Returns the header of a codestream, given from its signature FF 0A on.

    Raises:
        DecodeError: it ends early, or has more than 64 extra channels.
    """
    bits = _Bits(codestream[2:4096])
    width, height = _size(bits)
    if bits.flag():
        return Header(width, height)
    is_animation, orientation = False, 1
    if bits.flag():
        orientation = bits.u(3) + 1
        if bits.flag():
            _size(bits)
        if bits.flag():
            _preview(bits)
        is_animation = bits.flag()
        if is_animation:
            _animation(bits)
    depth, is_float = _depth(bits)
    bits.flag()  # modular_16bit_buffers
    count = bits.u32(_CHANNELS)
    if count > _MAX_EXTRA:
        raise errors.DecodeError(f"JPEG XL with {count} extra channels, at most {_MAX_EXTRA}", "unsupported_colour")
    extra = tuple(_extra(bits) for _ in range(count))
    is_xyb = bits.flag()
    if orientation > 4:
        width, height = height, width
    kinds = tuple(kind for kind, _ in extra)
    associated = (ALPHA, True) in extra
    return Header(width, height, depth, is_float, kinds, associated, is_animation, is_xyb)


def _size(bits: _Bits) -> tuple[int, int]:
    is_small = bits.flag()
    height = (bits.u(5) + 1) * 8 if is_small else bits.u32(_SIZE)
    ratio = bits.u(3)
    if ratio:
        across, down = _RATIOS[ratio - 1]
        return height * across // down, height
    return (bits.u(5) + 1) * 8 if is_small else bits.u32(_SIZE), height


def _preview(bits: _Bits) -> None:
    by_8 = bits.flag()
    table = ((16, 0), (32, 0), (1, 5), (33, 9)) if by_8 else ((1, 6), (65, 8), (321, 10), (1345, 12))
    bits.u32(table)
    if not bits.u(3):
        bits.u32(table)


def _animation(bits: _Bits) -> None:
    bits.u32(((100, 0), (1000, 0), (1, 10), (1, 30)))
    bits.u32(((1, 0), (1001, 0), (1, 8), (1, 10)))
    bits.u32(((0, 0), (0, 3), (0, 16), (0, 32)))
    bits.flag()


def _depth(bits: _Bits) -> tuple[int, bool]:
    is_float = bits.flag()
    depth = bits.u32(_FLOAT_BITS if is_float else _INTEGER_BITS)
    if is_float:
        bits.u(4)
    return depth, is_float


def _extra(bits: _Bits) -> tuple[int, bool]:
    """Returns the kind of an extra channel, and whether it is opacity that colours are multiplied by."""
    if bits.flag():
        return ALPHA, False
    kind = bits.u32(_ENUM)
    _depth(bits)
    bits.u32(((0, 0), (3, 0), (4, 0), (1, 3)))
    bits.u(8 * bits.u32(((0, 0), (0, 4), (16, 5), (48, 10))))
    if kind == _SPOT:
        bits.u(4 * 16)
    if kind == _CFA:
        bits.u32(((1, 0), (0, 2), (3, 4), (19, 8)))
    return kind, kind == ALPHA and bits.flag()
