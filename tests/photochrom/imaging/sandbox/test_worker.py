import pytest

from photochrom import errors
from photochrom.imaging import decoding
from photochrom.imaging.sandbox import worker

MILLION = 1_000_000


def raised(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (errors.NotAnImage("no image"), "NotAnImage", "not_an_image"),
        (errors.TooLarge("large"), "TooLarge", "too_large"),
        (ValueError("odd"), "DecodeError", "undecodable"),
        (MemoryError(), "DecodeError", "out_of_memory"),
        (OSError("decoder error -9"), "DecodeError", "out_of_memory"),
        (raised(errors.DecodeError("broken image"), RuntimeError("std::bad_alloc")), "DecodeError", "out_of_memory"),
    ],
)
def test_describe_separates_memory_from_broken_files(error, kind, reason):
    described = worker._describe(error)
    assert (described["kind"], described["reason"]) == (kind, reason)


@pytest.mark.parametrize(
    ("pixels", "most", "expected"),
    [
        (1 * MILLION, 300 * MILLION, []),
        (5 * MILLION, 300 * MILLION, [32]),
        (100 * MILLION, 300 * MILLION, [32, 256]),
        (299 * MILLION, 300 * MILLION, [32, 256, 300]),
        (1 * MILLION, 2 * MILLION, []),
    ],
)
def test_memory_limit_grows_with_claimed_size(monkeypatch, pixels, most, expected):
    limits = []

    def decode(_data: bytes, *, max_pixels: int) -> int:
        if pixels > max_pixels:
            raise errors.TooLarge("by its header")
        return pixels

    monkeypatch.setattr(decoding, "decode", decode)
    monkeypatch.setattr(worker, "_limit_memory", limits.append)
    monkeypatch.setattr(worker, "_allowed_bytes", lambda data_bytes, pixels: pixels)
    assert worker._decode(b"", most) == pixels
    assert [limit // MILLION for limit in limits] == expected


@pytest.mark.parametrize(
    ("data_bytes", "pixels", "expected"),
    [
        (0, 4 * MILLION, (1 << 30) + 256 * MILLION),
        (1 * MILLION, 4 * MILLION, (1 << 30) + 264 * MILLION),
        (10 * MILLION, 300 * MILLION, 1792 << 20),
        (20 * MILLION, 300 * MILLION, (1792 << 20) + 2560 * MILLION),
        (200 * MILLION, 300 * MILLION, (1 << 30) + 1600 * MILLION + 19_200 * MILLION),
    ],
)
def test_allowed_bytes_is_bounded_by_the_file(data_bytes, pixels, expected):
    assert worker._allowed_bytes(data_bytes, pixels) == expected


def test_decode_refuses_more_than_max_pixels(monkeypatch):
    def decode(_data: bytes, *, max_pixels: int) -> int:
        raise errors.TooLarge(f"at most {max_pixels} px")

    monkeypatch.setattr(decoding, "decode", decode)
    monkeypatch.setattr(worker, "_limit_memory", lambda more: None)
    with pytest.raises(errors.TooLarge, match="at most 7000000 px"):
        worker._decode(b"", 7 * MILLION)
