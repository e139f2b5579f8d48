"""Real faults: signals, loops, bombs and dead parents, in real helper processes."""

import concurrent.futures
import contextlib
import dataclasses
import gc
import io
import json
import multiprocessing
import os
import pathlib
import pickle
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
import weakref
import zlib

import numpy as np
import pytest
from PIL import Image

from photochrom import errors
from photochrom.imaging import decoding
from photochrom.imaging.picture import Picture
from photochrom.imaging.sandbox import helper_process, pool
from photochrom.imaging.sandbox.decoder import Decoder
from photochrom.imaging.sandbox.protocol import Request

LIMIT = 300_000_000


def encode(image: Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of_zeros(width: int, rows: int, repeats: int) -> bytes:
    """A real black PNG of 8 bit gray, rows * repeats high: the same deflate blocks over and over."""
    packer = zlib.compressobj(9)
    block = bytes((1 + width) * rows)
    first = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    end = zlib.compressobj(wbits=-15).flush()
    total = len(block) * repeats
    adler = (total % 65521) << 16 | 1  # RFC 1950, of zeros
    data = first + again * (repeats - 1) + end + struct.pack(">I", adler)
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, rows * repeats, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


@pytest.fixture
def new_helpers():
    """Begins and ends without helpers, so that a test meets its own alone."""
    pool.end_helpers()
    yield
    pool.end_helpers()


@pytest.fixture(scope="module")
def slow_jpeg(photographs) -> bytes:
    """16 MP, progressive: most of a second of work."""
    rgb = np.tile(np.asarray(Image.fromarray(photographs["coffee"]).resize((1000, 1000))), (4, 4, 1))
    return encode(Image.fromarray(rgb), "JPEG", quality=90, progressive=True)


@pytest.fixture(scope="module")
def small(photographs) -> bytes:
    return encode(Image.fromarray(photographs["coffee"]).resize((90, 60)), "PNG")


def in_background(work):
    """Starts the work in a thread and waits until a helper is at it; returns the future and the helper's pid."""
    future = concurrent.futures.ThreadPoolExecutor(1).submit(work)
    deadline = time.monotonic() + 20
    while not (pids := pool.helper_pids()) or not is_busy(pids[0]):
        assert time.monotonic() < deadline and not future.done()
        time.sleep(0.002)
    return future, pids[0]


def is_busy(pid: int) -> bool:
    """Whether the process holds a large picture already: a helper without one has 40 MB."""
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") > 60 << 20


def with_everything(rgb: np.ndarray) -> bytes:
    """A PNG with opacity, EXIF, a profile that does not work and a resolution."""
    image = Image.fromarray(rgb).resize((90, 60)).convert("RGBA")
    image.putalpha(Image.fromarray(np.linspace(0, 255, 60).astype(np.uint8)[:, None].repeat(90, axis=1)))
    exif = Image.Exif()
    exif[0x010E] = "Harbour, 1903"
    exif[274] = 6
    return encode(image, "PNG", exif=exif, icc_profile=b"no profile" * 20, dpi=(600, 600))


def test_decoder_picture_equals_decoding_in_every_field(photographs, small):
    rgb = photographs["astronaut"]
    deep = Image.fromarray(np.asarray(Image.fromarray(rgb).convert("L")).astype(np.uint16) * 257)
    files = [small, with_everything(rgb), encode(Image.fromarray(rgb), "JPEG"), encode(deep, "TIFF", dpi=(300, 300))]
    for data in files:
        for draft_size in (0, 64):
            ours = Decoder(LIMIT).decode(data, draft_size=draft_size)
            plain = decoding.decode(data, max_pixels=LIMIT, draft_size=draft_size)
            for field in dataclasses.fields(Picture):
                value, expected = getattr(ours, field.name), getattr(plain, field.name)
                if isinstance(expected, np.ndarray):
                    np.testing.assert_array_equal(value, expected)
                    assert value.dtype == expected.dtype
                else:
                    assert value == expected and type(value) is type(expected)


def test_decoder_errors_equal_those_of_decoding(small):
    for data in (b"", b"no picture", small[:200], small):
        with pytest.raises(errors.DataError) as ours:
            Decoder(100).decode(data)
        with pytest.raises(errors.DataError) as plain:
            decoding.decode(data, max_pixels=100)
        assert type(ours.value) is type(plain.value)
        assert (str(ours.value), ours.value.reason, ours.value.stage) == (
            str(plain.value), plain.value.reason, plain.value.stage,
        )  # fmt: skip


def test_decoder_counts_and_decodes_pages(photographs):
    pages = [Image.fromarray(photographs["coffee"]).resize((30 + i, 20)).convert("L") for i in range(3)]
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert Decoder(LIMIT).count_pages(data) == 3
    for number, page in enumerate(pages):
        np.testing.assert_array_equal(Decoder(LIMIT).decode(data, page=number).pixels, np.asarray(page))
    assert Decoder(LIMIT).count_pages(encode(pages[0], "PNG")) == 1


def test_decoder_uses_one_helper_for_one_thread(new_helpers, small):
    for _ in range(20):
        Decoder(LIMIT).decode(small)
    assert len(pool.helper_pids()) == 1


def test_decoder_threads_share_a_helper_per_core(new_helpers, small):
    expected = decoding.decode(small, max_pixels=LIMIT).pixels
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        for picture in threads.map(lambda _: Decoder(LIMIT).decode(small), range(80)):
            np.testing.assert_array_equal(picture.pixels, expected)
    assert 1 <= len(pool.helper_pids()) <= os.cpu_count()


@pytest.mark.parametrize("death", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_decoder_crash_costs_one_file(new_helpers, slow_jpeg, small, death):
    future, pid = in_background(lambda: Decoder(LIMIT).decode(slow_jpeg))
    os.kill(pid, death)
    with pytest.raises(errors.DecodeError, match=f"the decoder crashed on it: {death.name}") as caught:
        future.result(20)
    assert caught.value.reason == "decoder_crashed"
    assert Decoder(LIMIT).decode(small).pixels.shape == (60, 90, 3)
    assert pid not in pool.helper_pids()


def test_decoder_retries_crash_of_used_helper(new_helpers, slow_jpeg, small):
    """An earlier file may have damaged it: then this one succeeds in a new helper."""
    Decoder(LIMIT).decode(small)
    future, pid = in_background(lambda: Decoder(LIMIT).decode(slow_jpeg))
    os.kill(pid, signal.SIGSEGV)
    assert future.result(60).pixels.shape == (4000, 4000, 3)
    assert pid not in pool.helper_pids()


def test_decoder_replaces_helper_that_died_between_files(new_helpers, small):
    Decoder(LIMIT).decode(small)
    (pid,) = pool.helper_pids()
    os.kill(pid, signal.SIGKILL)
    assert Decoder(LIMIT).decode(small).pixels.shape == (60, 90, 3)


def test_decoder_has_what_reading_left(new_helpers, endless_jpeg):
    started = time.monotonic()
    with pytest.raises(errors.DecodeError, match=r"longer than 120 s, which is the limit"):
        Decoder(LIMIT, timeout_seconds=120).after(119.5).decode(endless_jpeg)
    assert time.monotonic() - started < 10


def test_decoder_times_out_on_endless_file(new_helpers, endless_jpeg, small):
    Decoder(LIMIT).decode(small)
    started = time.monotonic()
    with pytest.raises(
        errors.DecodeError, match=r"longer than 0\.5 s, which is the limit; .* --image_timeout"
    ) as caught:
        Decoder(LIMIT, timeout_seconds=0.5).decode(endless_jpeg)
    assert caught.value.reason == "decode_timeout" and time.monotonic() - started < 5
    assert pool.helper_pids() == []
    assert Decoder(LIMIT).decode(small).pixels.shape == (60, 90, 3)


def test_decoder_refuses_large_picture_by_header(new_helpers):
    data = png_of_zeros(25_000, 100, 100)
    with pytest.raises(errors.TooLarge, match="25000x10000 px, at most 1000000 px"):
        Decoder(1_000_000).decode(data)


def tile_bomb(side: int) -> bytes:
    """A TIFF of 16x16 px in one tile of side x side: its header is small, unpacking the tile takes gigabytes."""
    tags = {256: 16, 257: 16, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 0, 325: 64}
    tags[324] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + zlib.compress(bytes(50_000)).ljust(64)


def test_decoder_bounds_memory_of_tile_bomb(new_helpers, small):
    for side in (40_000, 60_000):
        with pytest.raises(errors.DecodeError) as caught:
            Decoder(LIMIT).decode(tile_bomb(side))
        assert caught.value.reason in ("out_of_memory", "undecodable")
        (pid,) = pool.helper_pids()
        peak = int(pathlib.Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0])
        assert peak < 300_000, "KB that the helper had at most"


def let_grow(pid: int, more: int) -> None:
    """Gives a running process so much more address space, for good."""
    size = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.prlimit(pid, resource.RLIMIT_AS, (size + more, size + more))


def test_helper_reports_out_of_memory(new_helpers):
    helper = helper_process.Helper()
    let_grow(helper.pid, 50 << 20)
    data = png_of_zeros(20_000, 100, 30)
    answer = helper.ask(Request("decode", len(data), LIMIT, 60), data)
    assert answer["error"]["reason"] == "out_of_memory" and helper.is_alive
    helper.close()


def test_decoder_retries_out_of_memory_of_used_helper(new_helpers, small):
    """Earlier files may have filled it: then this one succeeds in a new helper."""
    Decoder(LIMIT).decode(small)
    (pid,) = pool.helper_pids()
    let_grow(pid, 50 << 20)
    assert Decoder(LIMIT).decode(png_of_zeros(20_000, 100, 30)).pixels.shape == (3_000, 20_000)
    assert pid not in pool.helper_pids()


def test_decoder_memory_follows_the_claimed_size(new_helpers):
    """A large picture is decoded, though it needs more memory than a small one may take."""
    assert Decoder(LIMIT).decode(png_of_zeros(20_000, 100, 30)).pixels.shape == (3_000, 20_000)


def test_helper_ends_with_its_parent(tmp_path):
    code = (
        "import sys, time; from photochrom.imaging.sandbox import decoder, pool\n"
        "try: decoder.Decoder(10**6).decode(b'')\n"
        "except Exception: pass\n"
        "print(*pool.helper_pids(), flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    helper = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    wait_until_gone(helper)


def test_busy_helper_ends_soon_after_its_parent(monkeypatch, slow_jpeg):
    """By the alarm that it set itself: its timeout and a few seconds."""
    helper = helper_process.Helper()
    with pytest.raises(TimeoutError):
        endless = threading.Event()
        monkeypatch.setattr(helper, "_end", endless.set)  # as a parent that dies before it can
        helper.ask(Request("decode", len(slow_jpeg), LIMIT, 0.05), slow_jpeg)
    assert endless.is_set()
    wait_until_gone(helper.pid)
    monkeypatch.undo()
    helper.close()


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while (stat := pathlib.Path(f"/proc/{pid}/stat")).exists() and " Z " not in stat.read_text():
        assert time.monotonic() < deadline, "the helper is alive"
        time.sleep(0.05)


def _decode_in_child(small: bytes, connection) -> None:
    connection.send((Decoder(LIMIT).decode(small).pixels.shape, pool.helper_pids()))


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_decoder_in_children_starts_own_helpers(small, method):
    Decoder(LIMIT).decode(small)
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context(method).Process(target=_decode_in_child, args=(small, theirs))
    child.start()
    shape, pids = ours.recv()
    child.join(20)
    assert shape == (60, 90, 3) and not set(pids) & set(pool.helper_pids())
    for pid in pids:
        wait_until_gone(pid)
    assert Decoder(LIMIT).decode(small).pixels.shape == (60, 90, 3)


def test_decoder_survives_pickling(small):
    copy = pickle.loads(pickle.dumps(Decoder(LIMIT, 7.0)))
    assert copy == Decoder(LIMIT, 7.0) and copy.decode(small).pixels.shape == (60, 90, 3)


INVALID = {
    "a picture of a billion pixels": {"picture": {"pixels": {"$array": ["u1", 100_000, 100_000]}}},
    "a picture without pixels": {"picture": {"format": "PNG"}},
    "a profile of a terabyte": {"picture": {"metadata": {"icc": {"$bytes": 1 << 40}}}},
    "no picture": {"pages": 1},
    "an error of no kind": {"error": {"kind": "SystemExit", "message": "", "reason": "a", "stage": "b"}},
    "an error without a code": {"error": {"kind": "DecodeError", "message": "", "reason": "<b>", "stage": "b"}},
}


@pytest.mark.parametrize("kind", [*INVALID, "no message"])
def test_decoder_refuses_invalid_answers(new_helpers, monkeypatch, tmp_path, small, kind):
    """A helper that a file has taken over: a process of its own, with answers that no honest one gives."""
    answer = json.dumps(INVALID.get(kind)).encode()
    answer = len(answer).to_bytes(4, "big") + answer if kind in INVALID else b"Segmentation fault\n"
    (tmp_path / "dishonest.py").write_text(
        "import sys\nready = b'{}'\nsys.stdout.buffer.write(len(ready).to_bytes(4, 'big') + ready)\n"
        f"sys.stdout.flush()\nsys.stdin.buffer.read(100)\nsys.stdout.buffer.write({answer!r})\n"
        "sys.stdout.flush()\nsys.stdin.buffer.read()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(helper_process, "_MODULE", "dishonest")
    with pytest.raises(errors.DecodeError, match=r"the decoder crashed on it: .*invalid answer") as caught:
        Decoder(LIMIT, timeout_seconds=10).decode(small)
    assert caught.value.reason == "decoder_crashed" and pool.helper_pids() == []
    monkeypatch.undo()
    assert Decoder(LIMIT).decode(small).pixels.shape == (60, 90, 3)


def test_decoder_reports_helper_that_does_not_start(new_helpers, monkeypatch, small):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(errors.PhotochromError, match="the decoder helper does not start") as caught:
        Decoder(LIMIT).decode(small)
    assert not isinstance(caught.value, errors.DataError)


def test_refused_file_is_released_at_once():
    class File(bytearray):
        """Can be referred to weakly."""

    file = File(b"no image")
    reference = weakref.ref(file)
    gc.disable()
    try:
        with contextlib.suppress(errors.NotAnImage):
            Decoder(max_pixels=100).decode(file)
        del file
        assert reference() is None
    finally:
        gc.enable()
