"""What Beam's local runner holds between two steps: on disk, where it is more than a little.

By itself Beam 2.77 holds it in memory, so that a job needs the more of it the larger the archive. The files lie where
`tempfile` puts them (TMPDIR says where), have no name, and end with the process.
"""

import tempfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from apache_beam.coders.coder_impl import CoderImpl, create_InputStream
from apache_beam.runners.portability.fn_api_runner import execution

from photochrom import errors

# Elements are kept and handed out by so many bytes, or one by one where they are larger.
PIECE_BYTES = 128 << 10
# Of each buffer; what is more goes to its file.
_MEMORY_BYTES = 1 << 20
# Keys are put together part by part: of ten million a part has 40,000.
_PARTS = 256
_BeamsGroups = execution.GroupingBuffer


class Spill:
    """A place for bytes: in memory while they are few, else a file."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115  # ends with the last that refers to it
        self._end = 0
        self._lock = threading.Lock()

    def put(self, data: bytes | bytearray) -> "Spilled":
        """Puts bytes away.

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
                    f"what lies between two steps cannot be written to {tempfile.gettempdir()}: {error}; "
                    "set TMPDIR to a folder on a disk with more room"
                ) from error
            self._end += len(data)
        return spilled

    def get(self, offset: int, length: int) -> bytes:
        """Returns bytes that were put away."""
        with self._lock:
            self._file.seek(offset)
            return self._file.read(length)


class Spilled(NamedTuple):
    """Bytes that are put away."""

    spill: Spill
    offset: int
    length: int

    def read(self) -> bytes:
        """Returns them."""
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
        """Returns another buffer with the same elements, whose bytes are there once."""
        other = Elements(self._coder_impl)
        other.extend(self)
        return other

    def extend(self, extra: Any) -> None:
        """Takes the elements of another such buffer."""
        super().extend(extra)
        self.size += extra.size

    def append(self, elements: bytes) -> None:
        """Takes some elements."""
        for piece in _cut(elements, self._coder_impl):
            super().append(piece)
        self.size += len(elements)

    def clear(self) -> None:
        """Forgets all elements, for good or until `reset`."""
        super().clear()
        self._inputs = _Chunks()  # type: ignore[assignment]
        self.size = 0

    def pieces(self) -> Iterator[bytes]:
        """Yields all elements by some PIECE_BYTES."""
        return iter(self)


class Groups(_BeamsGroups):  # type: ignore[misc, valid-type]
    """Pairs of key and value, encoded, to be put together by key.

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
        """Takes some pairs."""
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
        """Takes the pairs of another such buffer; where Beam gives one of Elements, that is empty."""
        if isinstance(input_buffer, Groups):
            for index in range(_PARTS):
                self._parts[index].extend(input_buffer._parts[index])
                self._latest[index] += input_buffer._latest[index]
            self.size += input_buffer.size

    def partition(self, n: int) -> list[list[bytes]]:
        """Returns n lists of groups, all of them in memory."""
        return self._groups(range(_PARTS)).partition(n)

    def pieces(self) -> Iterator[bytes]:
        """Yields all groups by some PIECE_BYTES."""
        for index in range(_PARTS):
            for piece in self._groups([index]):
                yield from _cut(piece, self._post_grouped_coder.get_impl())

    def _groups(self, parts: Sequence[int]) -> execution.GroupingBuffer:
        groups = _BeamsGroups(*self._settings)
        for index in parts:
            for spilled in self._parts[index]:
                groups.append(spilled.read())
            groups.append(bytes(self._latest[index]))
        return groups


class _Chunks(Sequence[bytes]):
    """A list of byte strings that are put away."""

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
    """Yields elements, and where each ends among the bytes."""
    stream = create_InputStream(elements)
    while stream.size() > 0:
        element = coder.decode_from_stream(stream, True)
        yield element, len(elements) - stream.size()


def _cut(elements: bytes, coder: CoderImpl) -> Iterator[bytes]:
    """Yields encoded elements by some PIECE_BYTES."""
    start = 0
    if len(elements) > PIECE_BYTES:
        for _, end in _decoded(elements, coder):
            if end - start >= PIECE_BYTES:
                yield elements[start:end]
                start = end
    if start < len(elements):
        yield elements[start:]
