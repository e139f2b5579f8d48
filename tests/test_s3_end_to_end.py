"""prepare and colorize wholly on s3://, against moto's server on loopback."""

import builtins
import contextlib
import json
import uuid

import boto3
import pytest

from photochrom import cli
from photochrom.storage import files
from pipelines import prepare
from serving import colorize, verify
from tests.support import aws as aws_server

pytestmark = pytest.mark.job  # whole jobs or trainings

FLAGS = ("--image_size=32", "--num_shards=2", "--split=train=0.75,validation=0.25", "--near_duplicates=ignore")


@pytest.fixture(scope="module")
def server():
    with aws_server.running() as address:
        yield address


@pytest.fixture
def aws(server, monkeypatch):
    """An environment that leads to the server, and to nothing else of AWS."""
    aws_server.use(server, monkeypatch)


@pytest.fixture
def bucket(aws):
    name = f"bucket-{uuid.uuid4().hex}"
    boto3.client("s3").create_bucket(Bucket=name)
    return f"s3://{name}"


def contents(folder):
    return {info.path.removeprefix(f"{folder}/"): files.read_bytes(info.path) for info in files.list_folder(folder)}


def test_colorize_on_s3_equals_local_once(bucket, gray_folder, tint, tmp_path):
    files.copy_folder(str(gray_folder), f"{bucket}/in/{gray_folder.name}")
    files.copy_folder(tint, f"{bucket}/model")
    flags = ("--date=2026-01-31", "--max_failures=50%")
    colorize.run([f"--input={gray_folder}", f"--output={tmp_path}/out", f"--model={tint}", *flags])
    remote = [f"--input={bucket}/in/{gray_folder.name}", f"--output={bucket}/out", f"--model={bucket}/model", *flags]
    colorize.run(remote)
    made = contents(f"{bucket}/out/images")
    assert made == contents(f"{tmp_path}/out/images") and made
    listed = list(files.list_folder(f"{bucket}/out/images"))
    colorize.run(remote)
    assert list(files.list_folder(f"{bucket}/out/images")) == listed
    assert cli.call(verify.run, [f"{bucket}/out"]) == 0


def test_prepare_makes_the_same_on_s3(bucket, photo_folder, tmp_path):
    files.copy_folder(str(photo_folder), f"{bucket}/in/photos")
    prepare.run([f"--input={photo_folder}", f"--output={tmp_path}/out", *FLAGS])
    prepare.run([f"--input={bucket}/in/photos", f"--output={bucket}/out", *FLAGS])
    local, remote = contents(f"{tmp_path}/out"), contents(f"{bucket}/out")
    assert local.keys() - {"prepare.json"} <= remote.keys()
    same = [name for name in local if name.endswith((".tfrecord", "statistics.json"))]
    assert len(same) >= 4 and all(local[name] == remote[name] for name in same)
    assert json.loads(local["dataset_info.json"])["splits"] == json.loads(remote["dataset_info.json"])["splits"]


@pytest.mark.parametrize("size", [0, 1, 12_000_000])
def test_files_of_every_size_are_written_and_read(bucket, size):
    files.write_bytes(f"{bucket}/a", b"x" * size)
    assert files.read_bytes(f"{bucket}/a") == b"x" * size


def test_files_share_a_connection(bucket, monkeypatch):
    made, kept = [], boto3.session.Session.client
    monkeypatch.setattr(
        boto3.session.Session, "client", lambda *args, **named: made.append(args) or kept(*args, **named)
    )
    names = [f"{bucket}/{i}" for i in range(5)]
    for name in names:
        files.write_bytes(name, name.encode())
    with contextlib.ExitStack() as opened:
        readers = [opened.enter_context(files.open_read(name)) for name in names]
        assert [reader.read(len(name)) for reader, name in zip(readers, names, strict=True)] == [
            name.encode() for name in names
        ]
    assert [info.path for info in files.list_folder(bucket)] == names
    assert len(made) == 2  # to ask whether the bucket serves, and for all else


def test_failed_write_leaves_nothing(bucket):
    with pytest.raises(ZeroDivisionError), files.create(f"{bucket}/half") as file:
        file.write(b"half")
        1 / 0  # noqa: B018
    assert not files.exists(f"{bucket}/half")


def refused(capsys, path):
    assert cli.call(colorize.run, [f"--input={path}", "--output=/tmp/none"]) == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_no_such_bucket_is_one_line(aws, capsys):
    assert refused(capsys, "s3://no-such-bucket/in") == (
        "photochrom: there is no bucket s3://no-such-bucket; check its name, or create it"
    )


def test_no_credentials_are_one_line(aws, capsys, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "no AWS credentials found for s3://some-bucket; set AWS_ACCESS_KEY_ID" in refused(
        capsys, "s3://some-bucket/in"
    )


def test_no_server_is_one_line(aws, capsys, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "s3://some-bucket cannot be reached: " in refused(capsys, "s3://some-bucket/in")


def test_no_boto3_is_one_line(aws, capsys, monkeypatch):
    kept = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "boto3":
            raise ImportError(name)
        return kept(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "s3://some-bucket needs boto3, which is not installed: pip install 'photochrom[s3]'" in refused(
        capsys, "s3://some-bucket/in"
    )
