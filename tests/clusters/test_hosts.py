"""Colorize on a Flink of three addresses, scans and copies in a bucket, and a link that is cut under way."""

import os
import pathlib
import subprocess
import sys
import threading
import time

import pytest
from google.cloud import storage

from benchmarks import bucket_server
from photochrom import demo

# tests/clusters is no package: pytest finds its modules by path alone.
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import flink_cluster
import hosts
import trees

pytestmark = [pytest.mark.hosts, pytest.mark.xdist_group("cluster")]
JOB_SECONDS = 400


@pytest.fixture
def network():
    try:
        with hosts.bridged(3) as made:
            yield made
    except hosts.Unavailable as error:
        pytest.skip(f"NOT TESTED ON SEVERAL HOSTS: {error}")


@pytest.fixture
def bucket(network, monkeypatch):
    """A bucket that all hosts reach: its client's handle, and the server."""
    with bucket_server.running(network[0]) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.address)
        server.make_bucket("archive")
        yield storage.Client.create_anonymous_client().bucket("archive"), server


@pytest.fixture
def cluster(network, bucket, tmp_path):
    environment = {"STORAGE_EMULATOR_HOST": bucket[1].address}
    try:
        with flink_cluster.running(tmp_path / "flink", hosts=network[1], environment=environment) as found:
            yield found
    except flink_cluster.Unavailable as error:
        pytest.skip(f"NOT TESTED ON FLINK: {error}")


def colorize(*flags):
    code = "import sys; from photochrom import cli; sys.exit(cli.main())"
    environment = {**os.environ, "PYTHONPATH": str(flink_cluster.PROJECT)}
    command = [sys.executable, "-c", code, "colorize", "--batch_size=4", *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=JOB_SECONDS, check=False, env=environment)


def contents(bucket, prefix):
    """Returns the objects of a run that are the same in every run, by their names in its folder."""
    found = {blob.name.removeprefix(prefix): blob for blob in bucket.list_blobs(prefix=prefix)}
    return {name: blob.download_as_bytes() for name, blob in found.items() if name.split("/")[-1] not in trees.VARYING}


class Cutter(threading.Thread):
    """Cuts a host off as soon as the first copy is there, for as long as Flink needs to notice and more."""

    def __init__(self, bucket, prefix, host):
        super().__init__(daemon=True)
        self.bucket, self.prefix, self.host, self.was_cut = bucket, prefix, host, False
        self.start()

    def run(self):
        end = time.monotonic() + JOB_SECONDS
        while time.monotonic() < end and not any(self.bucket.list_blobs(prefix=self.prefix)):
            time.sleep(0.05)
        self.host.cut()
        self.was_cut = True
        time.sleep(20)
        self.host.join()


def test_colorize_makes_the_same_copies_though_a_link_is_cut(network, bucket, cluster, tint):
    archive, _ = bucket
    gray = [path for path in sorted((demo.SAMPLES / "grayscale").rglob("*")) if path.is_file()]
    for i in range(8):
        for path in gray:
            archive.blob(f"scans/{i}/{path.name}").upload_from_filename(path)
    flags = ["--input=gs://archive/scans", f"--model={tint}"]
    cutter = Cutter(archive, "flink/images/", network[1][-1])
    done = colorize(*flags, "--output=gs://archive/flink", *cluster.flags())
    cutter.join(30)
    assert cutter.was_cut
    assert done.returncode == 0, done.stderr
    local = colorize(*flags, "--output=gs://archive/local")
    assert local.returncode == 0, local.stderr
    made = contents(archive, "flink/")
    assert sum(name.startswith("images/") for name in made) == 8 * len(gray)
    assert made == contents(archive, "local/")
