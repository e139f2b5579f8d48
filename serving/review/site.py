"""The static site: the page and its assets, and data/index.js, which names the data files."""

import json
import pathlib
from collections.abc import Iterable
from typing import Any

from photochrom import __version__
from photochrom.storage import files
from photochrom.storage.names import printable
from serving.manifest.reader import Account
from serving.review import words
from serving.review.items import OTHERS, PICTURES, DataFile
from serving.review.layout import ASSETS, DATA, INDEX, PAGE, ReviewPaths

_SITE = pathlib.Path(__file__).parent / "site"


def write(output: str, data_files: Iterable[DataFile], about: dict[str, Any]) -> str:
    """Writes the page and its index, deletes the data files of earlier reviews, and returns the page's path.

    A Beam step: `data_files` is a side input, all of them are complete.

    Args:
        output: the output folder.
        data_files: those that the index names.
        about: as `describe` returns it.
    """
    paths, found = ReviewPaths(output), sorted(data_files, key=lambda one: (one.part, one.number))
    for asset in sorted(_SITE.iterdir()):
        name = PAGE if asset.name == PAGE else f"{ASSETS}/{asset.name}"
        paths.write(name, asset.read_bytes())
    parts = {
        part: [{"file": one.name, "count": one.count} for one in found if one.part == part]
        for part in (PICTURES, OTHERS)
    }
    index = json.dumps({**about, **parts}, separators=(",", ":"))
    paths.write(INDEX, f"photochrom.index({index});\n".encode())
    named = {INDEX, *(f"{DATA}/{one.name}" for one in found)}
    known = [info.path.removeprefix(f"{paths.folder}/") for info in files.list_folder(paths.at(DATA))]
    files.delete_within(paths.folder, [name for name in known if name not in named])
    return paths.at(PAGE)


def describe(output: str, account: Account) -> dict[str, Any]:
    """Returns the facts about an output folder that the page states."""
    runs = account.runs.values()
    return {
        "title": printable(output.rstrip("/").rpartition("/")[2]),
        "version": __version__,
        "totals": {**account.summary.totals(), "gone": account.summary.gone},
        "runs": [{"run": run.run, "started": run.started, "model": run.model_name} for run in runs],
        "words": words.REASONS,
    }
