import subprocess
import sys

import pytest
from apache_beam import coders
from apache_beam.transforms import core
from apache_beam.transforms.window import GlobalWindows

from photochrom.jobs import spill

_ELEMENT = coders.WindowedValueCoder(coders.BytesCoder())
_PAIR = coders.WindowedValueCoder(coders.TupleCoder((coders.BytesCoder(), coders.BytesCoder())))
_GROUP = coders.WindowedValueCoder(coders.TupleCoder((coders.BytesCoder(), coders.IterableCoder(coders.BytesCoder()))))
# Some that many make a piece, some larger than one, and more than a buffer holds in memory.
_VALUES = [bytes([i % 256]) * size for i, size in enumerate([0, 10, 1000, 3, 200_000, 5] * 20)]


def encoded(coder, values):
    return coder.get_impl().encode_all(map(GlobalWindows.windowed_value, values))


def decoded(coder, pieces):
    return [element.value for piece in pieces for element in coder.get_impl().decode_all(piece)]


def elements(*appended):
    buffer = spill.Elements(_ELEMENT.get_impl())
    for values in appended:
        buffer.append(encoded(_ELEMENT, values))
    return buffer


def groups(*appended):
    buffer = spill.Groups(_PAIR, _GROUP, core.Windowing(GlobalWindows()))
    for pairs in appended:
        buffer.append(encoded(_PAIR, pairs))
    return buffer


def found(pieces):
    return {key: sorted(values) for key, values in decoded(_GROUP, pieces)}


def test_elements_are_read_back_in_order():
    buffer = elements(_VALUES, [], _VALUES[::-1])
    pieces = list(buffer.pieces())
    assert decoded(_ELEMENT, pieces) == _VALUES + _VALUES[::-1]
    assert buffer.size == sum(map(len, pieces)) > spill._MEMORY_BYTES
    assert max(map(len, pieces)) < 200_000 + 2 * spill.PIECE_BYTES
    assert len(pieces) >= 2 * 20


def test_large_buffer_is_in_a_file():
    assert not elements(_VALUES[:4])._inputs._spill._file._rolled
    assert elements(_VALUES)._inputs._spill._file._rolled


@pytest.mark.parametrize("count", [1, 2, 7])
def test_elements_are_partitioned(count):
    parts = elements(_VALUES[:30]).partition(count)
    assert len(parts) == count
    assert sorted(value for part in parts for value in decoded(_ELEMENT, part)) == sorted(_VALUES[:30])


def test_copy_is_equal_and_independent():
    buffer = elements(_VALUES)
    copy = buffer.copy()
    copy.append(encoded(_ELEMENT, [b"more"]))
    assert decoded(_ELEMENT, buffer.pieces()) == _VALUES
    assert decoded(_ELEMENT, copy.pieces()) == [*_VALUES, b"more"]
    assert copy.size > buffer.size


def test_buffers_are_joined():
    buffer = elements(_VALUES[:3])
    buffer.extend(elements(_VALUES))
    assert decoded(_ELEMENT, buffer.pieces()) == _VALUES[:3] + _VALUES


@pytest.mark.parametrize("size", [1, 2000], ids=["few bytes", "many bytes"])
def test_pairs_are_grouped_by_key(size):
    pairs = [(f"{i % 700}".encode(), f"{i}".encode() * size) for i in range(3000)]
    expected = {}
    for key, value in pairs:
        expected.setdefault(key, []).append(value)
    expected = {key: sorted(values) for key, values in expected.items()}
    other, buffer = groups(pairs[2000:]), groups(pairs[:1500], pairs[1500:2000])
    buffer.extend(other)
    buffer.extend(elements())
    pieces = list(buffer.pieces())
    assert len(decoded(_GROUP, pieces)) == len(expected)
    assert found(pieces) == expected
    assert found([chunk for part in buffer.partition(3) for chunk in part]) == expected
    assert buffer.size == len(encoded(_PAIR, pairs))


# As a full disk does, this lets no file have more than 2 MB.
_LITTLE_ROOM = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))
from photochrom.jobs import spill
spill = spill.Spill()
for _ in range(3):
    spill.put(bytes(1 << 20))
"""


def test_full_disk_is_reported_with_folder(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _LITTLE_ROOM], env={"TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    said = done.stderr.splitlines()[-1]
    assert f"PhotochromError: intermediate data cannot be written to {tmp_path}: [Errno 27]" in said
    assert "set TMPDIR to a folder on a disk with more room" in said
