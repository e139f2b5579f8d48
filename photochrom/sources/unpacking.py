"""Unpacks deflate, bzip2 and LZMA piece by piece: memory in proportion to a piece, not to what the content claims."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Protocol

from photochrom import errors
from photochrom.sources.member_checks import broken

# Read and unpacked at a time.
PIECE_BYTES = 1 << 20
# xz claims its dictionary itself, up to 4 GiB; `xz -9` takes 65 MiB.
_XZ_BYTES = 256 << 20
_GZIP = 31  # zlib's code for a gzip stream


class Decompressor(Protocol):
    """The interface of bz2's and lzma's decompressors."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes: ...


class Inflater:
    """zlib's decompressor with that interface."""

    def __init__(self, wbits: int = -zlib.MAX_WBITS):
        """Args: wbits: zlib's code of the format, by default of a bare deflate stream."""
        self._zlib = zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail or data, max(max_length, 0))


def pieces(read: Callable[[int], bytes], decompressor: Decompressor) -> Iterator[bytes]:
    """Yields unpacked content, up to the end of one compressed stream.

    Args:
        read: returns up to so many packed bytes, b"" at the end.
        decompressor: a new one.

    Raises:
        ReadError: the content is damaged or ends too early.
    """
    while not decompressor.eof:
        packed = read(PIECE_BYTES) if decompressor.needs_input else b""
        try:
            piece = decompressor.decompress(packed, PIECE_BYTES)
        except (zlib.error, lzma.LZMAError, OSError, ValueError) as error:  # OSError: bz2's, for damage
            raise broken("the compressed content is damaged, or needs more memory than is usual") from error
        if piece:
            yield piece
        elif not packed and decompressor.needs_input and not decompressor.eof:
            raise broken("the compressed content ends too early; truncated")


_FORMATS: tuple[tuple[bytes, Callable[[], Decompressor]], ...] = (
    (b"\x1f\x8b", lambda: Inflater(_GZIP)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_BYTES)),
)


def decompressor_of(start: bytes) -> Callable[[], Decompressor] | None:
    """Returns the maker of the Decompressor for a gzip, bzip2 or xz file that begins like that; None for others."""
    return next((make for magic, make in _FORMATS if start.startswith(magic)), None)


class UnpackedFile:
    """The content of a gzip, bzip2 or xz file, whose streams follow each other; it is read forward only."""

    def __init__(self, file: IO[bytes], make: Callable[[], Decompressor], limit: int):
        """Args: file: the packed one. make: of `decompressor_of`. limit: the most bytes that it may unpack to."""
        self._pieces = _of_all_streams(file, make)
        self._held = memoryview(b"")
        self._position, self._limit = 0, limit

    def read(self, count: int) -> bytes:
        """Returns the next bytes, fewer only at the end.

        Raises:
            ReadError: the content is damaged or ends too early.
            TooLarge: it unpacks to more than the limit.
        """
        parts = []
        while count and (self._held or self._fill()):
            parts.append(self._held[:count])
            count -= len(parts[-1])
            self._position += len(parts[-1])
            self._held = self._held[len(parts[-1]) :]
            if self._position > self._limit:
                raise bomb(self._limit)
        return b"".join(parts)

    def tell(self) -> int:
        """Returns the number of bytes read or skipped."""
        return self._position

    def seek(self, position: int) -> int:
        """Skips bytes up to a position, or to the end."""
        while self._position < position and self.read(min(PIECE_BYTES, position - self._position)):
            pass
        return self._position

    def _fill(self) -> bool:
        self._held = memoryview(next(self._pieces, b""))
        return bool(self._held)


def bomb(limit: int) -> errors.TooLarge:
    """Returns the error of an archive that unpacks to more than a limit."""
    return errors.TooLarge(f"the archive unpacks to more than {limit} bytes: a decompression bomb?")


def _of_all_streams(file: IO[bytes], make: Callable[[], Decompressor]) -> Iterator[bytes]:
    held = [file.read(PIECE_BYTES)]

    def read(count: int) -> bytes:
        return held.pop() if held else file.read(count)

    while held:
        decompressor = make()
        yield from pieces(read, decompressor)
        rest = (decompressor.unused_data or read(PIECE_BYTES)).lstrip(b"\0")  # padding
        while not rest and (more := read(PIECE_BYTES)):
            rest = more.lstrip(b"\0")
        held = [rest] if rest else []
