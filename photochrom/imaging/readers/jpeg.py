"""Frame header of a JPEG file: the depth, which Pillow may refuse, and the size, which libtiff does not check."""

import dataclasses
from collections.abc import Iterator

from photochrom import errors

# Start of frame: baseline to arithmetic, without DHT (C4), JPG (C8) and DAC (CC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))
END = b"\xff\xd9"
_SCAN, _LOSSLESS = 0xDA, 0xC3
_SCAN_MARKER = b"\xff\xda"


@dataclasses.dataclass(frozen=True)
class Frame:
    """A frame header.

    Attributes:
        marker: 0xC0..0xCF, the kind of coding.
        precision: bits a sample.
        height, width: px.
        components: channels.
        offset: of the precision in the file, bytes.
    """

    marker: int
    precision: int
    height: int
    width: int
    components: int
    offset: int

    @property
    def is_lossless(self) -> bool:
        """Predictive coding, process 14."""
        return self.marker == _LOSSLESS


def frame(data: bytes) -> Frame:
    """Returns the first frame header.

    Raises:
        DecodeError: there is none.
    """
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            position = data.find(b"\xff", position)
            if position < 0:
                break
            continue
        marker = data[position + 1]
        if marker in _WITHOUT_LENGTH or marker in (0x00, 0xFF):
            position += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        if marker in _FRAMES and position + 10 <= len(data):
            body = data[position + 4 : position + 10]
            height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            return Frame(marker, body[0], height, width, body[5], position + 4)
        if marker == _SCAN:
            break
        position += 2 + max(length, 2)
    raise errors.DecodeError("JPEG without a frame header")


def scans(data: bytes, start: int) -> Iterator[tuple[bytes, int, int, int]]:
    """Yields of each scan from byte `start` on its components, first and last coefficient, and least bit.

    Source: ITU-T T.81, B.2.3.
    """
    position = data.find(_SCAN_MARKER, start)
    while 0 <= position < len(data) - 4:
        count = data[position + 4]
        end = position + 5 + 2 * count
        if 1 <= count <= 4 and end + 3 <= len(data):
            yield data[position + 5 : end : 2], data[end], data[end + 1], data[end + 2] & 15
        position = data.find(_SCAN_MARKER, position + 2)


def is_complete(data: bytes, frame: Frame) -> bool:
    """Whether the end marker comes after the frame: libjpeg fills missing data with gray, without an error."""
    return data.find(END, frame.offset) >= 0


def as_8_bit(data: bytes) -> bytes:
    """Returns the file with 8 as its frame's precision, for Pillow to open its header, not its pixels."""
    place = frame(data).offset
    return data[:place] + b"\x08" + data[place + 1 :]
