"""Output folders of colorize for tests, and their rows."""

import json
import pathlib
import shutil

import pytest

from serving import colorize
from serving.resume import decide


@pytest.fixture(autouse=True)
def _files_of_tests_are_settled(monkeypatch):
    """What a test has just written counts as done with; else rows would differ by how fast the machine is."""
    monkeypatch.setattr(decide, "_SETTLED_SECONDS", 0.0)


ITEMS = "manifest/items-00000-of-00001.jsonl"


@pytest.fixture(scope="session")
def coloured(tint, gray_folder, tmp_path_factory) -> pathlib.Path:
    """The output of a real run on the gray scans, in a folder whose name is a pattern that it does not match."""
    output = tmp_path_factory.mktemp("coloured") / "out [1]*"
    colorize.run([f"--model={tint}", f"--input={gray_folder}", f"--output={output}", "--max_failures=50%"])
    return output


@pytest.fixture
def output(coloured, tmp_path) -> pathlib.Path:
    """A copy of it, to be spoilt."""
    return pathlib.Path(shutil.copytree(coloured, tmp_path / coloured.name))


def read_rows(output: pathlib.Path) -> dict[str, dict]:
    return {row["key"]: row for row in map(json.loads, (output / ITEMS).read_text().splitlines())}


def write_rows(output: pathlib.Path, rows: list[dict]) -> None:
    (output / ITEMS).write_text("".join(json.dumps(row) + "\n" for row in rows))


def edit_row(output: pathlib.Path, key: str, /, **values) -> None:
    rows = read_rows(output)
    write_rows(output, [{**row, **values} if row["key"] == key else row for row in rows.values()])
