import collections
import contextlib
import re
import zipfile

import numpy as np
import pytest

from photochrom import errors
from photochrom.sources import archive_listing, member_reader
from photochrom.sources.prefetch import Reading
from photochrom.sources.source import Source, place
from photochrom.storage import files

pytestmark = pytest.mark.job  # starts servers


@pytest.fixture
def reading():
    one = Reading()
    yield one
    one.close()


@pytest.mark.parametrize("where", ["local", "bucket"])
def test_sources_keep_order_with_bytes_or_reason(reading, bucket, tmp_path, where):
    folder = str(tmp_path) if where == "local" else bucket
    sources = []
    for number in range(30):
        files.write_bytes(f"{folder}/{number}", b"%d" % number)
        sources.append(Source(str(number), f"{folder}/{number}", size=len(str(number)), version="v"))
    sources.insert(3, Source("gone", f"{folder}/gone"))
    sources.insert(7, Source.failed("bad", f"{folder}/1", errors.TooLarge("too large")))
    found, reasons = [], {}
    for source, read in reading.each(sources):
        try:
            found.append((source.key, read()))
        except errors.DataError as error:
            reasons[source.key] = error.reason
    assert found == [(str(number), b"%d" % number) for number in range(30)]
    assert reasons == {"gone": "not_found", "bad": "too_large"}


def test_prefetch_is_bounded(reading, store, bucket):
    for number in range(50):
        files.write_bytes(f"{bucket}/{number}", b"x")
    for size, most in ((1, 33), (30 << 20, 3)):
        store.clear()
        sources = [Source(str(number), f"{bucket}/{number}", size=size) for number in range(50)]
        _, read = next(reading.each(sources))
        assert read() == b"x"
        reading.close()
        reading = Reading()
        assert 1 <= store.counts()["GET"] <= most


def pack(path: str, sizes: list[int]) -> dict[str, bytes]:
    """Writes a zip of members of random bytes, stored and deflated in turn; names tell nothing of the places."""
    random = np.random.default_rng(0)
    names = [f"{number:08x}" for number in random.permutation(len(sizes))]
    contents = {name: random.bytes(size // 2).hex().encode() for name, size in zip(names, sizes, strict=True)}
    with files.create(path) as file, zipfile.ZipFile(file, "w") as archive:
        for number, (name, data) in enumerate(contents.items()):
            archive.writestr(name, data, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[number % 2])
    return contents


def list_zip(path: str) -> list[Source]:
    with files.open_read(path) as file:
        return list(archive_listing.list_members(file, path, "a.zip", contextlib.nullcontext))


def fetched(store) -> int:
    """How many bytes were asked for."""
    ranges = [re.findall(r"\d+", request.headers["range"]) for request in store.requests]
    return sum(int(end) - int(start) + 1 for start, end in ranges)


def test_zip_neighbours_are_one_request(reading, store, bucket):
    path = f"{bucket}/a.zip"
    contents = pack(path, [20_000] * 95 + [3_000_000, 20_000, 3_000_000, 3_000_000])
    store.clear()
    sources = list_zip(path)
    assert len(store.requests) <= 3  # the begin, the size, the end
    packed = files.stat(path).size
    for order, requests in ((sorted(sources, key=place), 6), (sources[::-1], len(sources))):
        store.clear()
        found = {source.member: read() for source, read in reading.each(order)}
        assert found == contents
        assert len(store.requests) <= requests
        assert fetched(store) <= packed


def test_distant_member_is_read_alone(reading, store, bucket):
    path = f"{bucket}/a.zip"
    contents = pack(path, [20_000, 600_000] * 10)
    small = [source for source in sorted(list_zip(path), key=place) if source.size == 20_000]
    store.clear()
    assert [read() for _, read in reading.each(small)] == [contents[source.member] for source in small]
    assert len(store.requests) == 10 and fetched(store) < 20_000 * 11


def test_damaged_neighbour_fails_alone(reading, bucket):
    path = f"{bucket}/a.zip"
    contents = pack(path, [20_000] * 9)
    sources = sorted(list_zip(path), key=place)
    damaged = bytearray(files.read_bytes(path))
    damaged[sources[2].offset] ^= 1  # its header
    damaged[sources[4].end - 100] ^= 1  # its content
    files.write_bytes(path, bytes(damaged))
    found = {}
    for source, read in reading.each(sources):
        with contextlib.suppress(errors.ReadError):
            found[source.member] = read()
    assert found == {s.member: contents[s.member] for i, s in enumerate(sources) if i not in (2, 4)}


def test_runs_divide_archive_evenly(bucket):
    path = f"{bucket}/a.zip"
    pack(path, [2000] * 1000)
    runs = collections.Counter(member_reader.neighbourhood(source) for source in list_zip(path))
    assert len(runs) == 32 and max(runs.values()) == 32
