"""The commands of the first tutorial run, in their order, on the sample scans."""

import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from photochrom import demo

pytestmark = pytest.mark.job
PAGE = pathlib.Path(__file__).parents[1] / "docs/first-scans.md"
PROGRAM = [sys.executable, "-c", "import sys; from photochrom import cli; sys.exit(cli.program())"]


def test_commands_of_first_tutorial_run(tmp_path):
    shutil.copytree(demo.SAMPLES / "grayscale", tmp_path / "scans")
    scans = [path for path in (tmp_path / "scans").rglob("*") if path.is_file()]
    commands = re.findall(r"^photochrom (.+)$", PAGE.read_text(), re.MULTILINE)
    said = {}
    for command in commands:
        argv = [*PROGRAM, *shlex.split(command)]
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        said[command.split()[0]] = done.stdout
    assert len(list((tmp_path / "coloured/images").rglob("*.*"))) == len(scans)
    assert f"{len(scans)} done" in said["status"]
    for result in ("trial/review/index.html", "bag/bagit.txt", "coloured/publish/collection.json"):
        assert (tmp_path / result).is_file()
