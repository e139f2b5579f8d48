import pytest

from photochrom import errors, files
from photochrom.ahead import Reading
from photochrom.archives import Source


@pytest.fixture
def reading():
    one = Reading()
    yield one
    one.close()


@pytest.mark.parametrize("where", ["local", "bucket"])
def test_sources_come_in_their_order_with_their_bytes_or_the_reason(reading, bucket, tmp_path, where):
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


def test_what_is_read_ahead_is_bounded_by_count_and_by_bytes(reading, store, bucket):
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
