"""Both Beam jobs on a Flink of two TaskManagers, with the package staged; a part of the cluster is killed."""

import concurrent.futures
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from photochrom import errors
from photochrom.jobs import beam_job, clusters

# tests/clusters is no package: pytest finds its modules by path alone.
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import flink_cluster
import trees

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
JOB_SECONDS = 400


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    try:
        with flink_cluster.running(tmp_path_factory.mktemp("cluster") / "flink") as found:
            yield found
    except flink_cluster.Unavailable as error:
        pytest.skip(f"NOT TESTED ON FLINK: {error}")


@pytest.fixture(scope="module")
def photos(photographs, tmp_path_factory):
    """A folder of 160 colour photographs: crops of real ones."""
    folder = tmp_path_factory.mktemp("photos")
    for name, rgb in photographs.items():
        for i in range(40):
            top, left = 4 * i, 5 * i
            crop = np.ascontiguousarray(rgb[top : top + 200, left : left + 240])
            Image.fromarray(crop).save(folder / f"{name}-{i}.jpg", quality=92)
    return folder


@pytest.fixture(scope="module")
def scans(photos, tmp_path_factory):
    """The same in gray, of several shapes, and a broken one."""
    folder = tmp_path_factory.mktemp("scans")
    for i, path in enumerate(sorted(photos.iterdir())):
        Image.open(path).convert("L").crop((0, 0, 200 + 40 * (i % 2), 200)).save(folder / path.name)
    (folder / "broken.jpg").write_bytes((folder / "coffee-0.jpg").read_bytes()[:2000])
    return folder


def photochrom(*arguments, timeout=JOB_SECONDS):
    """Runs the command from a folder without the project, like an installed one."""
    code = "import sys; from photochrom import cli; sys.exit(cli.main())"
    environment = {**os.environ, "PYTHONPATH": str(flink_cluster.PROJECT)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=environment)


@pytest.fixture
def meanwhile():
    """Calls a function in a separate thread, and returns its future."""
    with concurrent.futures.ThreadPoolExecutor() as threads:
        yield threads.submit


class Killer(threading.Thread):
    """Kills the processes `victims()` as soon as `is_time()` holds; `killed` has their numbers."""

    def __init__(self, is_time, victims):
        super().__init__(daemon=True)
        self.is_time, self.victims, self.killed = is_time, victims, []
        self.start()

    def run(self):
        end = time.monotonic() + JOB_SECONDS
        while time.monotonic() < end and not (self.is_time() and self.victims()):
            time.sleep(0.01)
        for pid in self.victims()[:1]:
            os.kill(pid, signal.SIGKILL)
            self.killed.append(pid)


def test_prepare_survives_a_killed_worker(cluster, photos, tmp_path, meanwhile):
    flags = ["prepare", f"--input={photos}", "--num_shards=4"]
    local = meanwhile(photochrom, *flags, f"--output={tmp_path / 'local'}")
    killer = Killer(lambda: any(tmp_path.glob("flink/train-*")), cluster.workers)
    done = photochrom(*flags, f"--output={tmp_path / 'flink'}", *cluster.flags())
    assert done.returncode == 0, done.stderr
    assert killer.killed
    assert local.result().returncode == 0
    assert trees.contents(tmp_path / "flink") == trees.contents(tmp_path / "local")


def test_colorize_survives_a_killed_taskmanager(cluster, scans, tmp_path, meanwhile):
    flags = ["colorize", f"--input={scans}", "--batch_size=4"]
    local = meanwhile(photochrom, *flags, f"--output={tmp_path / 'local'}")
    victims = cluster.task_managers
    killer = Killer(lambda: any(tmp_path.glob("flink/images/**/*.jpg")), lambda: [victims[0].pid])
    done = photochrom(*flags, f"--output={tmp_path / 'flink'}", *cluster.flags())
    cluster.add_task_manager()
    assert done.returncode == 0, done.stderr
    assert re.search(r"161 inputs: 1[56]\d done, \d skipped, 1 failed", done.stdout)
    assert killer.killed
    assert victims[0].wait(10) == -signal.SIGKILL
    assert local.result().returncode == 0
    assert trees.contents(tmp_path / "flink") == trees.contents(tmp_path / "local")
    assert photochrom("verify", tmp_path / "flink").returncode == 0


def test_dead_worker_pool_is_one_line(cluster, scans, tint, tmp_path):
    began = time.monotonic()
    flags = cluster.pool_flags(flink_cluster.free_port())
    done = photochrom("colorize", f"--input={scans}", f"--model={tint}", f"--output={tmp_path / 'out'}", *flags)
    assert done.returncode == 1
    assert time.monotonic() - began < 60
    last = done.stderr.splitlines()[-1]
    assert last.startswith("photochrom: the job failed: ")
    assert "no worker pool answers at 127.0.0.1:" in last
    log = pathlib.Path(last.rpartition(" in ")[2])
    assert "ConnectException" in log.read_text()
    log.unlink()


def test_jar_for_another_flink_is_refused(cluster, tmp_path):
    jar = tmp_path / "beam-runners-flink-2.2-job-server-2.77.0.jar"
    jar.symlink_to(cluster.jars / "job-server.jar")
    flags = ["--runner=FlinkRunner", f"--flink_master={cluster.address}", f"--flink_job_server_jar={jar}"]
    with pytest.raises(errors.UsageError, match=r"is built for Flink 2\.2, the cluster runs 1\.19"):
        clusters.check(beam_job.parse_options(flags))


def test_workers_get_the_package_by_staging_only(cluster):
    code = "from importlib.util import find_spec as f; print(bool(f('apache_beam')), bool(f('photochrom')))"
    done = subprocess.run([cluster.python, "-c", code], capture_output=True, check=True, cwd=cluster.folder)
    assert done.stdout.split() == [b"True", b"False"]
