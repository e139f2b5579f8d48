"""A short form of benchmarks/scale.py: the generated archive, the usage of processes, and the table."""

import re
import subprocess
import sys
import zipfile

import pytest

from benchmarks import usage
from tests.support import generated

pytestmark = pytest.mark.job  # whole jobs or trainings

MB = 1 << 20


def test_generated_archive_is_half_loose_half_zipped(tmp_path):
    images = generated.archive(tmp_path / "a", 41, "RGB")
    loose = [path.read_bytes() for path in sorted(images.rglob("*.jpg"))]
    with zipfile.ZipFile(images / "members.zip") as archive:
        members = [archive.read(name) for name in archive.namelist()]
    assert (len(loose), len(members)) == (21, 20)
    assert len({*loose, *members}) == 41
    marked = images / "0000" / "0000000.jpg"
    marked.write_bytes(b"kept")
    assert generated.archive(tmp_path / "a", 41, "RGB") == images
    assert marked.read_bytes() == b"kept"


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel for PSS")
def test_usage_counts_memory_of_child_processes(tmp_path):
    inner = f"import time; held = b'x' * {100 * MB}; time.sleep(2)"
    outer = f"import subprocess, sys; held = b'x' * {50 * MB}; subprocess.run([sys.executable, '-c', {inner!r}])"
    own, others = usage.run([sys.executable, "-c", outer], tmp_path / "log")
    assert 150 * MB < own.peak < 250 * MB
    assert others == usage.Usage()


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel for PSS")
def test_usage_excludes_earlier_time_of_watched_processes(tmp_path):
    spin = "import time\nwhile time.process_time() < 1.5: pass\nprint(flush=True); time.sleep(60)"
    command = [sys.executable, "-c", spin]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as before:
        before.stdout.readline()
        own, others = usage.run([sys.executable, "-c", spin.replace("60", "2")], tmp_path / "log", [before.pid])
        before.kill()
    assert 1 < own.processor_seconds < 2.5
    assert others.processor_seconds < 0.7


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel for PSS")
def test_usage_raises_if_the_command_fails(tmp_path):
    with pytest.raises(subprocess.CalledProcessError) as caught:
        usage.run([sys.executable, "-c", "raise SystemExit('out of paper')"], tmp_path / "log")
    assert b"out of paper" in caught.value.output


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel for PSS")
def test_scale_prints_a_row_per_job(tmp_path, tint):
    command = [sys.executable, "-m", "benchmarks.scale", f"--scratch={tmp_path}", "--counts=20", "--jobs=colorize"]
    done = subprocess.run([*command, f"--model={tint}"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"\| colorize \| 20 \| \d+ \| \d+\.\d \| \d+ \|", done.stdout.splitlines()[-1])
    assert not (tmp_path / "colorize-20-out").exists()
