"""colorize and prepare, stopped by real signals in the middle of their work."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

from pipelines import prepare
from serving import colorize

pytestmark = pytest.mark.job  # whole jobs or trainings

SCRIPT = pathlib.Path(sys.executable).with_name("photochrom")


@contextlib.contextmanager
def started(*argv):
    with subprocess.Popen([SCRIPT, *map(str, argv)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as one:
        try:
            yield one
        finally:
            one.kill()


def decoders(pid: int) -> list[int]:
    """Returns the processes below a process that decode."""
    found = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, path.read_text().split()):
                found += [child] if b"sandbox.worker" in pathlib.Path(f"/proc/{child}/cmdline").read_bytes() else []
                found += decoders(child)
    return found


def wait_until(is_so, process, seconds=240):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.1)


def ends(process, number) -> str:
    """Sends the signal, checks that the process ends at once with all that it started, and returns what it said."""
    below = decoders(process.pid)
    began = time.monotonic()
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert time.monotonic() - began < 20
    assert process.returncode == 128 + number
    assert "Traceback" not in said
    assert below and not [pid for pid in below if is_running(pid)]
    return said.splitlines()[-1]


def is_running(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_colorize_stops_at_sigterm_and_continues(tint, gray_folder, endless_jpeg, tmp_path):
    scans, output = tmp_path / "scans", tmp_path / "out"
    shutil.copytree(gray_folder / "box1", scans)
    (scans / "endless.jpg").write_bytes(endless_jpeg)
    argv = [f"--input={scans}", f"--output={output}", f"--model={tint}"]
    with started("colorize", *argv, "--image_timeout=500") as process:
        wait_until(lambda: decoders(process.pid), process)
        second = subprocess.run([SCRIPT, "colorize", *argv], capture_output=True, text=True, check=False)
        assert second.returncode == 2 and second.stderr.count("\n") == 1
        assert f"--output {output}: another run is active there since" in second.stderr
        said = ends(process, signal.SIGTERM)
    assert said.startswith(f"photochrom: stopped by SIGTERM; the same command continues: photochrom colorize {argv[0]}")
    (output / "images").mkdir(exist_ok=True)
    (output / f"images/.photochrom-tmp-{'0' * 32}").write_bytes(b"half a picture")
    (scans / "endless.jpg").unlink()
    colorize.run(argv)
    assert json.loads((output / "manifest/summary.json").read_text())["done"] == 2
    assert sorted(os.listdir(output)) == ["images", "manifest"]
    assert sorted(path.name for path in output.rglob("images/**/*.*")) == ["square.jpg", "wide.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_prepare_stops_its_workers_at_ctrl_c(photo_folder, endless_jpeg, tmp_path):
    photos, output = tmp_path / "photos", tmp_path / "out"
    shutil.copytree(photo_folder / "coffee", photos)
    (photos / "endless.jpg").write_bytes(endless_jpeg)
    argv = [f"--input={photos}", f"--output={output}", "--image_size=64", "--near_duplicates=ignore"]
    workers = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    with started("prepare", *argv, "--image_timeout=500", *workers) as process:
        wait_until(lambda: decoders(process.pid), process)
        said = ends(process, signal.SIGINT)
    assert said.startswith(f"photochrom: stopped by SIGINT; the same command continues: photochrom prepare {argv[0]}")
    (photos / "endless.jpg").unlink()
    prepare.run(argv)
    assert json.loads((output / "dataset_info.json").read_text())["examples"] == 6
    assert not (output / ".prepare").exists()
