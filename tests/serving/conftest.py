"""Output folders of colorize for tests."""

import pathlib
import shutil

import pytest

from serving.resume import decide
from tests.support import runs


@pytest.fixture(autouse=True)
def _files_of_tests_are_settled(monkeypatch):
    """Files that a test has just written count as settled; else rows would differ by the speed of the machine."""
    monkeypatch.setattr(decide, "_SETTLED_SECONDS", 0.0)


@pytest.fixture(scope="session")
def coloured(tint, gray_folder, tmp_path_factory) -> pathlib.Path:
    """The output of a real run on the gray scans, in a folder whose name is a pattern that it does not match."""
    return runs.colorize(tint, tmp_path_factory.mktemp("coloured") / "out [1]*", gray_folder).output


@pytest.fixture
def output(coloured, tmp_path) -> pathlib.Path:
    """A copy of it that the test may damage."""
    return pathlib.Path(shutil.copytree(coloured, tmp_path / coloured.name))
