"""Disk-backed buffers for the local runner's intermediate PCollections.

Beam 2.77 holds them in memory, so a job's memory grows with the archive. The spill files are in the folder that
`tempfile` chooses (set by TMPDIR), have no name, and end with the process.
"""

import tempfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from apache_beam.coders.coder_impl import CoderImpl, create_InputStream
from apache_beam.runners.portability.fn_api_runner import execution

from photochrom import errors

# Bytes of a piece, in which elements are stored and returned; a larger element is a piece of its own.
PIECE_BYTES = 128 << 10
# Size up to which a buffer is in memory; a larger one is in its file.
_MEMORY_BYTES = 1 << 20
# Values are grouped by key part by part: of ten million keys a part has 40,000.
_PARTS = 256


class Spill:
    """Bytes in memory while they are few, else in a file."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115  # closed with its last reference
        self._end = 0
        self._lock = threading.Lock()

    def put(self, data: bytes | bytearray) -> "Spilled":
        """Appends bytes to the spill file.

        Raises:
            PhotochromError: the disk has no room, or fails.
        """
        with self._lock:
            spilled = Spilled(self, self._end, len(data))
            try:
                self._file.seek(self._end)
                self._file.write(data)
                self._file.flush()
            except OSError as error:
                raise errors.PhotochromError(
                    f"intermediate data cannot be written to {tempfile.gettempdir()}: {error}; "
                    "set TMPDIR to a folder on a disk with more room"
                ) from error
            self._end += len(data)
        return spilled

    def get(self, offset: int, length: int) -> bytes:
        """Reads bytes back."""
        with self._lock:
            self._file.seek(offset)
            return self._file.read(length)


class Spilled(NamedTuple):
    """A range of bytes of a spill file."""

    spill: Spill
    offset: int
    length: int

    def read(self) -> bytes:
        """Reads the bytes back."""
        return self.spill.get(self.offset, self.length)


class Elements(execution.ListBuffer):  # type: ignore[misc]
    """The elements of a PCollection, encoded.

    Attributes:
        size: bytes.
    """

    def __init__(self, coder_impl: CoderImpl | None):
        super().__init__(coder_impl)
        self._inputs = _Chunks()  # type: ignore[assignment]
        self.size = 0

    def copy(self) -> "Elements":
        """Returns another buffer with the same elements; both share the stored bytes."""
        other = Elements(self._coder_impl)
        other.extend(self)
        return other

    def extend(self, extra: Any) -> None:
        """Adds the elements of another buffer, of this class or of Beam's."""
        if isinstance(extra, Elements):
            super().extend(extra)
            self.size += extra.size
        else:
            for piece in extra:
                self.append(piece)

    def append(self, elements: bytes) -> None:
        """Adds encoded elements."""
        for piece in _cut(elements, self._coder_impl):
            super().append(piece)
        self.size += len(elements)

    def clear(self) -> None:
        """Drops all elements; after `reset` the buffer takes others."""
        super().clear()
        self._inputs = _Chunks()  # type: ignore[assignment]
        self.size = 0

    def pieces(self) -> Iterator[bytes]:
        """Yields all elements in pieces of about PIECE_BYTES."""
        return iter(self)


class Groups(execution.GroupingBuffer):  # type: ignore[misc]
    """Encoded pairs of key and value, to be grouped by key.

    Attributes:
        size: bytes of the pairs.
    """

    def __init__(self, pre_grouped_coder: Any, post_grouped_coder: Any, windowing: Any):
        super().__init__(pre_grouped_coder, post_grouped_coder, windowing)
        self._settings = pre_grouped_coder, post_grouped_coder, windowing
        self._spill = Spill()
        self._parts: list[list[Spilled]] = [[] for _ in range(_PARTS)]
        self._latest = [bytearray() for _ in range(_PARTS)]
        self.size = 0

    def append(self, elements: bytes) -> None:
        """Adds encoded pairs."""
        self.size += len(elements)
        start = 0
        for pair, end in _decoded(elements, self._pre_grouped_coder.get_impl()):
            index = zlib.crc32(self._key_coder.encode(pair.value[0])) % _PARTS
            self._latest[index] += elements[start:end]
            if len(self._latest[index]) >= PIECE_BYTES // 4:
                self._parts[index].append(self._spill.put(self._latest[index]))
                self._latest[index].clear()
            start = end

    def extend(self, input_buffer: Any) -> None:
        """Adds the pairs of another such buffer; a buffer of elements, which Beam may give here, is empty."""
        if isinstance(input_buffer, Groups):
            for index in range(_PARTS):
                self._parts[index].extend(input_buffer._parts[index])
                self._latest[index] += input_buffer._latest[index]
            self.size += input_buffer.size

    def partition(self, n: int) -> list[list[bytes]]:
        """Returns n lists of groups, all of them in memory."""
        return self._groups(range(_PARTS)).partition(n)

    def pieces(self) -> Iterator[bytes]:
        """Yields all groups in pieces of about PIECE_BYTES."""
        for index in range(_PARTS):
            for piece in self._groups([index]):
                yield from _cut(piece, self._post_grouped_coder.get_impl())

    def _groups(self, parts: Sequence[int]) -> execution.GroupingBuffer:
        groups = execution.GroupingBuffer(*self._settings)
        for index in parts:
            for spilled in self._parts[index]:
                groups.append(spilled.read())
            groups.append(bytes(self._latest[index]))
        return groups


def spilling(buffer: Any) -> Elements | Groups:
    """Returns an empty buffer that spills, of the kind and with the coders of one of Beam's."""
    if isinstance(buffer, execution.GroupingBuffer):
        return Groups(buffer._pre_grouped_coder, buffer._post_grouped_coder, buffer._windowing)
    return Elements(buffer._coder_impl)


def size(buffer: Any) -> int:
    """Returns the encoded bytes of a buffer, of this module or of Beam's (of which initial and deferred inputs are)."""
    return buffer.size if isinstance(buffer, Elements | Groups) else sum(map(len, buffer))


def pieces(buffer: Any) -> Iterator[bytes]:
    """Yields the elements of a buffer, of this module or of Beam's."""
    return buffer.pieces() if isinstance(buffer, Elements | Groups) else iter(buffer)


class _Chunks(Sequence[bytes]):
    """A list of byte strings in a spill file."""

    def __init__(self) -> None:
        self._spill = Spill()
        self._spilled: list[Spilled] = []

    def append(self, chunk: bytes) -> None:
        self._spilled.append(self._spill.put(chunk))

    def extend(self, other: "_Chunks") -> None:
        self._spilled.extend(other._spilled)

    def __len__(self) -> int:
        return len(self._spilled)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [spilled.read() for spilled in self._spilled[index]]
        return self._spilled[index].read()


def _decoded(elements: bytes, coder: CoderImpl) -> Iterator[tuple[Any, int]]:
    """Yields each element with the offset of its end in the bytes."""
    stream = create_InputStream(elements)
    while stream.size() > 0:
        element = coder.decode_from_stream(stream, True)
        yield element, len(elements) - stream.size()


def _cut(elements: bytes, coder: CoderImpl) -> Iterator[bytes]:
    """Yields encoded elements in pieces of about PIECE_BYTES."""
    start = 0
    if len(elements) > PIECE_BYTES:
        for _, end in _decoded(elements, coder):
            if end - start >= PIECE_BYTES:
                yield elements[start:end]
                start = end
    if start < len(elements):
        yield elements[start:]
