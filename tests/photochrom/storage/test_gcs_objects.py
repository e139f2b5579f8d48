"""gs:// through files.py, against an emulator behind a proxy that fails by plan: see tests/support/bucket_server.py."""

import concurrent.futures
import contextlib
import gc
import http.server
import io
import os
import random
import re
import subprocess
import sys
import threading
import time

import pytest

from photochrom import errors
from photochrom.sources import member_reader
from photochrom.sources.source import Source
from photochrom.storage import files, gcs, gcs_objects, gcs_retry
from tests.support.bucket_server import CUT, FLIPPED, LOST, RESET, every, first

pytestmark = pytest.mark.job  # starts servers

MIB = 1 << 20
FAULTS = ["503", "429", "500", RESET, LOST, CUT]


@pytest.fixture(scope="module")
def noise() -> bytes:
    return random.Random(1).randbytes(21 * MIB)


def write_in_pieces(path: str, data: bytes, piece: int = 3 * MIB + 17) -> None:
    with files.create(path) as file:
        for start in range(0, len(data), piece):
            file.write(data[start : start + piece])


# Below and above what the first request brings (4 MiB), what is held while writing (8 MiB), whole chunks.
@pytest.mark.parametrize("size", [0, 1, 4 * MIB, 4 * MIB + 1, 8 * MIB, 8 * MIB + 1, 16 * MIB, 20 * MIB + 3])
def test_written_bytes_are_read_whole(bucket, noise, size):
    write_in_pieces(f"{bucket}/a/b", noise[:size])
    assert files.read_bytes(f"{bucket}/a/b") == noise[:size]
    assert files.stat(f"{bucket}/a/b").size == size


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("size", [1000, 17 * MIB])
def test_failing_network_changes_no_byte(store, bucket, noise, size, kind):
    files.write_bytes(f"{bucket}/a", b"old")
    store.fault = first(2, kind)
    write_in_pieces(f"{bucket}/a", noise[:size])
    assert files.read_bytes(f"{bucket}/a") == noise[:size]
    assert [info.path for info in files.list_folder(bucket)] == [f"{bucket}/a"]
    files.delete(f"{bucket}/a")
    assert not files.exists(f"{bucket}/a")


def test_failing_writer_changes_nothing(bucket, noise):
    for size in (1000, 17 * MIB):
        with pytest.raises(RuntimeError), files.create(f"{bucket}/new") as file:
            file.write(noise[:size])
            raise RuntimeError
        assert list(files.list_all(bucket)) == []
    files.write_bytes(f"{bucket}/old", b"old")
    with pytest.raises(RuntimeError), files.create(f"{bucket}/old") as file:
        file.write(noise[: 17 * MIB])
        assert files.read_bytes(f"{bucket}/old") == b"old"
        raise RuntimeError
    assert files.read_bytes(f"{bucket}/old") == b"old"


def test_abandoned_writer_never_finishes(store, bucket, noise):
    store.fault = first(99, RESET, "DELETE")
    with pytest.raises(RuntimeError), files.create(f"{bucket}/new") as file:
        file.write(noise[: 10 * MIB])
        raise RuntimeError
    del file
    gc.collect()
    assert list(files.list_all(bucket)) == [] and store.counts()["DELETE"] == 1


def test_upload_with_lost_answer_writes_once(store, bucket):
    store.fault = first(1, LOST, "POST")
    files.write_bytes(f"{bucket}/a", b"once")
    posts = [request.status for request in store.requests if request.method == "POST"]
    assert posts == [200, 412] and files.read_bytes(f"{bucket}/a") == b"once"


def test_page_of_ours_has_its_content_type(bucket):
    files.write_typed(f"{bucket}/a.html", b"page", "text/html")
    files.write_bytes(f"{bucket}/b.html", b"page")
    for name, content_type in (("a.html", "text/html"), ("b.html", "application/octet-stream")):
        found = gcs_objects.blob(f"{bucket}/{name}")
        found.reload()
        assert found.content_type == content_type


def test_same_bytes_leave_object_unchanged(bucket):
    files.write_bytes(f"{bucket}/a", b"same")
    before = files.stat(f"{bucket}/a")
    files.write_bytes(f"{bucket}/a", b"same")
    assert files.stat(f"{bucket}/a") == before
    files.write_bytes(f"{bucket}/a", b"SAME")
    assert files.stat(f"{bucket}/a").version != before.version


def test_one_of_simultaneous_writers_wins(bucket):
    written = [bytes([i]) * 1000 for i in range(6)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda data: files.write_bytes(f"{bucket}/a", data), written))
    assert files.read_bytes(f"{bucket}/a") in written


def test_conditional_write_gives_way(bucket):
    assert files.write_if(f"{bucket}/a", b"1", "generation:1 crc32c:") is None
    version = files.write_if(f"{bucket}/a", b"1", "")
    assert version == files.stat(f"{bucket}/a").version
    assert files.write_if(f"{bucket}/a", b"2", "") is None
    newer = files.write_if(f"{bucket}/a", b"2", version)
    files.delete_if(f"{bucket}/a", version)
    assert files.read_bytes(f"{bucket}/a") == b"2"
    files.delete_if(f"{bucket}/a", newer)
    assert not files.exists(f"{bucket}/a")


def test_bit_flip_in_upload_is_refused(store, bucket):
    store.fault = first(99, FLIPPED, "POST")
    with pytest.raises(OSError, match=r"400|CRC32C"):
        files.write_bytes(f"{bucket}/a", b"\0" * 5000)
    store.clear()
    assert list(files.list_all(bucket)) == []


def test_bit_flip_in_download_is_detected(store, bucket, noise):
    files.write_bytes(f"{bucket}/small", noise[:5000])
    files.write_bytes(f"{bucket}/large", noise[: 6 * MIB])
    store.fault = first(1, FLIPPED)
    assert files.read_bytes(f"{bucket}/small") == noise[:5000]
    store.fault = first(99, FLIPPED)
    for name in ("small", "large"):
        with pytest.raises(OSError, match="CRC-32C"):
            files.read_bytes(f"{bucket}/{name}")


def test_reading_in_any_order(bucket, noise):
    files.write_bytes(f"{bucket}/a", noise[: 9 * MIB])
    draw, model = random.Random(2), io.BytesIO(noise[: 9 * MIB])
    with files.open_read(f"{bucket}/a") as file:
        for _ in range(60):
            offset, whence = draw.choice(
                [(draw.randrange(10 * MIB), 0), (-draw.randrange(3000), 2), (draw.randrange(70), 1)]
            )
            assert file.seek(offset, whence) == model.seek(offset, whence) == file.tell()
            count = draw.choice([0, 1, 30, 5000, 2 * MIB, -1])
            assert file.read(count) == model.read(count)
    with pytest.raises(ValueError, match="closed"):
        file.read()


def test_lines_are_read(bucket):
    lines = [b"x" * n + b"\n" for n in (0, 1, 70_000, 5 * MIB, 3)]
    files.write_bytes(f"{bucket}/a", b"".join(lines))
    with files.open_read(f"{bucket}/a") as file:
        assert list(file) == lines


def test_one_generation_is_read_or_none(bucket, noise):
    files.write_bytes(f"{bucket}/a", noise[: 6 * MIB])
    with files.open_read(f"{bucket}/a") as file:
        assert file.read(10) == noise[:10]
        files.write_bytes(f"{bucket}/a", noise[MIB : 7 * MIB])
        with pytest.raises(OSError, match="was replaced or deleted while it was read"):
            file.read()


def test_small_file_is_one_request(store, bucket):
    files.write_bytes(f"{bucket}/a.jpg", b"jpeg")
    store.clear()
    assert member_reader.read(Source("a.jpg", f"{bucket}/a.jpg", size=4, version="1")) == b"jpeg"
    assert len(store.requests) == 1


def test_sequential_reading_doubles_requests(store, bucket, noise):
    files.write_bytes(f"{bucket}/a", noise)
    store.clear()
    with files.open_read(f"{bucket}/a") as file:
        assert b"".join(iter(lambda: file.read(100_000), b"")) == noise
    assert len(store.requests) == 6  # 4 MiB, the size, 2, 4 and 8 MiB, and what is left of 21


def test_writing_known_file_is_one_request(store, bucket):
    store.clear()
    for count in (1, 2, 3):
        files.write_bytes(f"{bucket}/a.jpg", b"jpeg %d" % count)
        assert len(store.requests) == count
    files.delete(f"{bucket}/a.jpg")
    files.write_bytes(f"{bucket}/a.jpg", b"jpeg")
    assert files.read_bytes(f"{bucket}/a.jpg") == b"jpeg"


def test_process_remembers_few_objects(bucket, monkeypatch):
    monkeypatch.setattr(gcs_objects, "_REMEMBERED", 3)
    for i in range(6):
        files.write_bytes(f"{bucket}/{i}", b"")
    assert list(gcs_objects._last_put) == [f"{bucket}/{i}" for i in (3, 4, 5)]


def test_listing_is_sorted_by_pages(store, bucket, monkeypatch):
    monkeypatch.setattr(gcs_objects, "_PAGE", 5)
    names = [f"p/{i}.jpg" for i in (3, 20, 100, 1, 2, 30, 4, 5, 6, 7, 8, 9)]
    for name in [*names, "p2/x.jpg", "p.jpg", "p/", "p/empty/"]:
        gcs_objects.put(f"{bucket}/{name}", b"123") if not name.endswith("/") else make_placeholder(bucket, name)
    store.clear()
    listing = files.list_folder(f"{bucket}/p")
    found = [next(listing)]
    assert len(store.requests) == 1
    found += listing
    assert [info.path for info in found] == sorted(f"{bucket}/{name}" for name in names)
    assert len(store.requests) == 3
    assert {info.size for info in found} == {3}
    assert {request.query["fields"] for request in store.requests} == {
        "items(name,size,generation,crc32c),nextPageToken"
    }
    assert all(re.fullmatch(r"generation:\d{10,} crc32c:[\w+/]{6}==", info.version) for info in found)
    assert found == list(files.list_folder(f"{bucket}/p/")) == [files.stat(info.path) for info in found]


def make_placeholder(bucket: str, name: str) -> None:
    gcs.client().bucket(bucket.removeprefix("gs://")).blob(name).upload_from_string(b"")


def test_folders_are_names_with_objects_below(bucket):
    files.write_bytes(f"{bucket}/p2/x", b"")
    make_placeholder(bucket, "q/")
    assert files.is_folder(bucket) and files.is_folder(f"{bucket}/p2") and files.is_folder(f"{bucket}/q")
    assert not files.is_folder(f"{bucket}/p") and not files.is_folder(f"{bucket}/p2/x")
    assert files.exists(f"{bucket}/p2") and files.exists(f"{bucket}/p2/x") and not files.exists(f"{bucket}/p")
    assert list(files.list_folder(f"{bucket}/q")) == list(files.list_folder(f"{bucket}/p")) == []


TREE = """a.jpg b.png .c.jpg d/a.jpg d/e/f.jpg d/.e/f.jpg d/[1].jpg d/1.jpg de/a.JPG d2/e/f/g.jpg"""
PATTERNS = """* *.jpg ?.* d*/* d/*.jpg d/** ** **/*.jpg **.jpg d/**/f.jpg d/[[]1].jpg d/[0-9].jpg .* **/.e/* d*/**/g.jpg
    [!a].* d/e/f.jpg none* d2/**/* **/e/** d/.e/*.jpg **/*/* d/e d/"""


def test_pattern_means_same_as_locally(bucket, tmp_path):
    for name in TREE.split():
        for root in (bucket, str(tmp_path)):
            files.write_bytes(f"{root}/{name}", b"")
    matched = {
        root: {
            pattern: {info.path.removeprefix(f"{root}/") for info in files.list_glob(f"{root}/{pattern}")}
            for pattern in PATTERNS.split()
        }
        for root in (bucket, str(tmp_path))
    }
    assert matched[bucket] == matched[str(tmp_path)]
    assert [info.path for info in files.list_glob(f"{bucket}/**/*.jpg")] == sorted(
        f"{bucket}/{name}" for name in matched[bucket]["**/*.jpg"]
    )


def test_pattern_lists_below_fixed_start(store, bucket):
    files.write_bytes(f"{bucket}/scans/box1/a.jpg", b"")
    store.clear()
    assert len(list(files.list_glob(f"{bucket}/scans/box*/*.jpg"))) == 1
    assert [request.query["prefix"] for request in store.requests] == ["scans/box"]


def test_existing_name_with_bracket_is_no_pattern(bucket):
    files.write_bytes(f"{bucket}/box [1]/a.jpg", b"")
    assert not files.is_glob(f"{bucket}/box [1]") and not files.is_glob(f"{bucket}/box [1]/a.jpg")
    assert files.is_glob(f"{bucket}/box [2]")


@pytest.mark.parametrize("name", ["a b#c?d%2Fe.jpg", "ä/ö\u0301.jpg", "a//b", "x\\y"])
def test_names_are_taken_literally(bucket, name):
    files.write_bytes(f"{bucket}/{name}", b"here")
    assert files.read_bytes(f"{bucket}/{name}") == b"here"
    assert [info.path for info in files.list_folder(bucket)] == [f"{bucket}/{name}"]


def test_mass_deletion_survives_failures(store, bucket):
    names = [f"p/{i}/x" for i in range(40)] + ["p", "p2"]
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda name: files.write_bytes(f"{bucket}/{name}", b""), names))
    store.clear()
    store.fault = every(3, "503", RESET, LOST)
    files.clear(bucket, ["p"])
    files.clear(bucket, ["p"])
    files.delete_within(bucket, ["p", "none"])
    store.clear()
    assert [info.path for info in files.list_all(bucket)] == [f"{bucket}/p2"]
    with pytest.raises(errors.PhotochromError, match="leads out of its folder"):
        files.delete_within(f"{bucket}/a", ["../p2"])


def test_modified_is_the_time_of_the_store(bucket):
    files.write_bytes(f"{bucket}/a", b"")
    assert abs(files.modified(f"{bucket}/a") - time.time()) < 60
    with pytest.raises(FileNotFoundError):
        files.modified(f"{bucket}/none")


def test_missing_bucket_is_one_line(bucket):
    for call in (files.exists, files.read_bytes, files.stat, lambda path: list(files.list_folder(path)), files.delete):
        with pytest.raises(FileNotFoundError, match=r"^there is no bucket gs://no-such; check its name, or create it$"):
            call("gs://no-such/x")
    with pytest.raises(errors.UsageError, match=r"--output gs://no-such/x cannot be written: there is no bucket"):
        files.check_writable("gs://no-such/x")
    with pytest.raises(FileNotFoundError, match=r"/x is not there$"):
        files.read_bytes(f"{bucket}/x")


@pytest.mark.parametrize(
    ("call", "need"),
    [
        (files.read_bytes, "storage.objects.get"),
        (files.stat, "storage.objects.get"),
        (lambda path: list(files.list_folder(path)), "storage.objects.list"),
        (lambda path: files.write_bytes(path, b"1"), "storage.objects.create"),
        (lambda path: write_in_pieces(path, b"1" * 9 * MIB), "storage.objects.create"),
        (files.delete, "storage.objects.delete"),
    ],
)
def test_missing_permission_is_named(store, bucket, call, need):
    store.fault = first(99, "403")
    with pytest.raises(PermissionError) as caught:
        call(f"{bucket}/x")
    assert isinstance(caught.value, errors.UsageError)  # so that a command says it in one line
    said = str(caught.value)
    assert said.startswith(f"access to {bucket} is denied") and need in said and "\n" not in said
    assert len(store.requests) <= 2  # a long file is asked for its generation first


def test_writable_output_is_unchanged(bucket):
    files.check_writable(f"{bucket}/out")
    assert list(files.list_all(bucket)) == []


def test_retries_end(store, bucket, monkeypatch):
    monkeypatch.setattr(gcs_retry, "RETRY", gcs_retry.RETRY.with_timeout(0.5))
    store.fault = first(999, "503")
    began = time.monotonic()
    for call in (files.read_bytes, files.stat, files.exists, files.delete, lambda path: files.write_bytes(path, b"")):
        with pytest.raises(TimeoutError, match=r"/x: given up after 0.5 s of tries; the last one: .*503"):
            call(f"{bucket}/x")
    assert time.monotonic() - began < 10


def test_slow_answer_is_awaited(store, bucket):
    files.write_bytes(f"{bucket}/a", b"x" * 5000)
    store.delay, store.trickle = 0.2, 100
    assert files.read_bytes(f"{bucket}/a") == b"x" * 5000


def test_many_threads_share_a_client(store, bucket):
    store.fault = every(5, "429", RESET, CUT)

    def work(i: int) -> bool:
        files.write_bytes(f"{bucket}/{i}", bytes([i]) * 1000)
        return files.read_bytes(f"{bucket}/{i}") == bytes([i]) * 1000

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        assert all(pool.map(work, range(60)))


def test_forked_process_has_own_client(bucket):
    code = """
import os, sys
from photochrom.storage import files, gcs
path = sys.argv[1]
files.write_bytes(path, b"parent")
mine = gcs.client()
pid = os.fork()
if not pid:
    os._exit(0 if files.read_bytes(path) == b"parent" and gcs.client() is not mine else 1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0 and gcs.client() is mine
assert files.read_bytes(path) == b"parent" and "apache_beam" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, f"{bucket}/a"], check=True, timeout=60)


@contextlib.contextmanager
def metadata_server(answers: bool):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            stop.wait(0 if answers else 30)
            self.send_response(404 if "universe" in self.path else 200)
            self.send_header("Metadata-Flavor", "Google")
            self.send_header("Content-Type", "application/text")
            self.send_header("Content-Length", "9")
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(b"project-1")

        def log_message(self, *args):
            pass

    stop = threading.Event()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    stop.set()
    server.shutdown()
    server.server_close()


def say_who_asks(home, address: str) -> subprocess.CompletedProcess:
    """Asks for a client in a process that finds no file of credentials."""
    code = """
import pathlib
from photochrom.storage import files, gcs
gcs._PRODUCT_NAME = pathlib.Path("none")
try:
    print(type(gcs.client()._credentials).__module__)
except PermissionError as error:
    print(error)
"""
    left = {name: value for name, value in os.environ.items() if not name.startswith(("GOOGLE", "GCE", "STORAGE"))}
    environment = {
        **left,
        "HOME": str(home),
        "CLOUDSDK_CONFIG": str(home),
        "GCE_METADATA_IP": address,
        "GCE_METADATA_ROOT": address,
    }
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)


@pytest.mark.parametrize("answers", [True, False])
def test_missing_credentials_are_reported_within_seconds(tmp_path, answers):
    began = time.monotonic()
    with metadata_server(answers) as address:
        said = say_who_asks(tmp_path, address).stdout
    if answers:
        assert said == "google.auth.compute_engine.credentials\n"
    else:
        assert "no Google Cloud credentials found" in said and "gcloud auth application-default login" in said
    assert said.count("\n") == 1 and time.monotonic() - began < 15


@pytest.mark.parametrize("is_same", [True, False])
def test_long_file_of_faster_writer_is_kept(bucket, noise, is_same):
    data, other = noise[: 17 * MIB], noise[: 17 * MIB] if is_same else b"other"
    outcome = contextlib.nullcontext() if is_same else pytest.raises(OSError, match="another writer wrote it")
    with outcome, files.create(f"{bucket}/a") as file:
        file.write(data)
        write_in_pieces(f"{bucket}/a", other)
    assert files.read_bytes(f"{bucket}/a") == other
