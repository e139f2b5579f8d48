"""s3:// through files.py, against moto's server."""

import io
import random
import subprocess
import sys
import time
import uuid

import boto3
import pytest
from botocore import exceptions

from photochrom import errors
from photochrom.storage import files, s3
from tests.support import aws

pytestmark = pytest.mark.job  # starts servers

MIB = 1 << 20


@pytest.fixture(scope="module")
def server():
    with aws.running() as address:
        yield address


@pytest.fixture
def bucket(server, monkeypatch) -> str:
    """s3:// and the name of a bucket that is empty."""
    aws.use(server, monkeypatch)
    name = f"bucket-{uuid.uuid4().hex}"
    boto3.client("s3").create_bucket(Bucket=name)
    return f"s3://{name}"


@pytest.fixture
def folder(bucket) -> str:
    for name in ("b", "a/2", "a/1", "a/.photochrom-tmp-x"):
        files.write_bytes(f"{bucket}/in/{name}", name.encode())
    return f"{bucket}/in"


def test_listing_is_sorted_and_read_back(folder):
    found = list(files.list_folder(folder))
    assert [info.path.removeprefix(f"{folder}/") for info in found] == ["a/1", "a/2", "b"]
    assert [info.size for info in found] == [3, 3, 1]
    assert found == [files.stat(info.path) for info in found]
    assert len(list(files.list_all(folder))) == 4
    with files.open_read(f"{folder}/a/2") as file:
        file.seek(1)
        assert file.read() == b"/2"
    assert files.is_folder(folder) and files.exists(folder) and files.exists(f"{folder}/b")
    assert not files.exists(f"{folder}/c") and not files.is_folder(f"{folder}/b")
    for call in (files.stat, files.read_bytes):
        with pytest.raises(FileNotFoundError):
            call(f"{folder}/c")


def test_page_of_ours_has_its_content_type(bucket):
    files.write_typed(f"{bucket}/a.html", b"page", "text/html")
    files.write_bytes(f"{bucket}/b.html", b"page")
    types = [boto3.client("s3").head_object(Bucket=bucket[5:], Key=key)["ContentType"] for key in ("a.html", "b.html")]
    assert types[0] == "text/html" and types[1] != "text/html"


def test_placeholder_of_folder_is_no_file(bucket):
    boto3.client("s3").put_object(Bucket=bucket.removeprefix("s3://"), Key="empty/")
    assert list(files.list_folder(f"{bucket}/empty")) == list(files.list_folder(bucket)) == []


def test_listing_continues_over_pages(bucket, monkeypatch):
    monkeypatch.setattr(s3, "_DELETED_AT_ONCE", 3)
    names = [f"{bucket}/p/{i:03d}" for i in range(8)]
    for name in names:
        files.write_bytes(name, b"")
    store = files.store(bucket)
    assert [info.path for info in s3._listed(bucket, "p/", PaginationConfig={"PageSize": 3})] == names
    store.clear(bucket, ["p"])
    assert list(files.list_all(bucket)) == []


def test_conditional_write_gives_way(folder):
    path = f"{folder}/lock"
    version = files.write_if(path, b"first", "")
    assert version and files.write_if(path, b"second", "") is None
    files.delete_if(path, "mtime:0")
    assert files.exists(path)
    files.delete_if(path, version)
    assert not files.exists(path)


def test_delete_leaves_neighbours(folder):
    files.delete(f"{folder}/none")
    files.write_bytes(f"{folder}/a2", b"")
    files.delete(f"{folder}/a")
    assert len(list(files.list_all(folder))) == 5  # a folder is no file
    files.delete_within(folder, ["a/1", "none"])
    files.clear(folder, ["a", "none"])
    assert [info.path.removeprefix(f"{folder}/") for info in files.list_all(folder)] == ["a2", "b"]
    with pytest.raises(errors.PhotochromError, match="leads out of its folder"):
        files.delete_within(folder, ["../b"])


def test_modified_is_the_time_of_the_store(folder):
    assert abs(files.modified(f"{folder}/b") - time.time()) < 60
    with pytest.raises(FileNotFoundError):
        files.modified(f"{folder}/none")


def test_reader_reads_in_any_order(bucket):
    draw = random.Random(2)
    data = draw.randbytes(9 * MIB)
    files.write_bytes(f"{bucket}/a", data)
    model = io.BytesIO(data)
    with files.open_read(f"{bucket}/a") as file:
        for _ in range(40):
            offset, whence = draw.choice([(draw.randrange(10 * MIB), 0), (-draw.randrange(3000), 2)])
            assert file.seek(offset, whence) == model.seek(offset, whence) == file.tell()
            count = draw.choice([0, 1, 5000, 2 * MIB, -1])
            assert file.read(count) == model.read(count)


@pytest.mark.parametrize(("start", "count"), [(0, 3), (2, 100), (5, 0), (10, 5), (12, 5), (0, 0)])
def test_range_ends_with_file(bucket, start, count):
    files.write_bytes(f"{bucket}/a", b"0123456789")
    assert files.read_range(f"{bucket}/a", start, count) == b"0123456789"[start : start + count]


def test_reader_notices_replaced_file(bucket):
    files.write_bytes(f"{bucket}/a", b"x" * 20 * MIB)
    with files.open_read(f"{bucket}/a") as file:
        assert file.read(10) == b"x" * 10
        files.write_bytes(f"{bucket}/a", b"y" * 20 * MIB)
        with pytest.raises(OSError, match="PreconditionFailed"):
            file.read()


def test_body_that_breaks_off_is_fetched_again(bucket, monkeypatch):
    files.write_bytes(f"{bucket}/a", b"whole")
    kept, tries = s3._client(bucket).get_object, []

    def get_object(**request):
        tries.append(request)
        if len(tries) < 3:
            raise exceptions.ResponseStreamingError(error="broken")
        return kept(**request)

    monkeypatch.setattr(s3._client(bucket), "get_object", get_object)
    assert files.read_bytes(f"{bucket}/a") == b"whole" and len(tries) == 3
    tries[:] = [{}] * -9
    monkeypatch.setattr(s3, "_BODY_TRIES", 2)
    with pytest.raises(OSError, match="ResponseStreamingError"):
        files.read_bytes(f"{bucket}/a")


def test_pattern_means_the_same_as_locally(bucket, tmp_path):
    for name in ["a.jpg", ".c.jpg", "d/a.jpg", "d/e/f.jpg", "d2/e/f/g.jpg"]:
        for root in (bucket, str(tmp_path)):
            files.write_bytes(f"{root}/{name}", b"")
    for pattern in ("*", "*.jpg", "**/*.jpg", "d*/**", "d/**/f.jpg", "[!a]*/*.jpg", ".*", "none*"):
        found = [
            [info.path.removeprefix(f"{root}/") for info in files.list_glob(f"{root}/{pattern}")]
            for root in (bucket, str(tmp_path))
        ]
        assert found[0] == found[1]


def test_other_schemes_are_refused():
    with pytest.raises(errors.UsageError, match=r"paths with hdfs:// are not supported; expected gs://, s3:// or"):
        files.exists("hdfs://host/a")


def test_s3_needs_no_beam(bucket):
    code = f"import sys; from photochrom.storage import files; assert not files.exists({bucket!r} + '/a')"
    subprocess.run([sys.executable, "-c", f"{code}; assert 'apache_beam' not in sys.modules"], check=True)
