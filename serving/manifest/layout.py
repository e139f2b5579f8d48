"""The layout of an output folder: the names of its folders and files stand here only.

OUT/images has the copies, OUT/rejected those that reviewers rejected. OUT/manifest has items-00000-of-00002.jsonl ...
(a row for each listed input), gone-00000-of-00002.jsonl ... (rows of delisted inputs whose copies are kept),
summary.json, runs.jsonl, canary.png, and pending/ (the write-ahead log). OUT/.colorize is the scratch folder of a run
under way. OUT/review is the review page and OUT/publish the publication, made from all of this.
"""

import dataclasses
import re

from photochrom.storage import files
from photochrom.storage.names import printable

SCRATCH, REVIEW, PUBLISH = ".colorize", "review", "publish"
# Paths below the output folder.
SUMMARY, RUNS, CANARY_SHEET = "manifest/summary.json", "manifest/runs.jsonl", "manifest/canary.png"
# The name of a file of rows: its number, how many there are.
ITEMS = re.compile(r"items-(\d+)-of-(\d+)\.jsonl")
GONE = re.compile(r"gone-(\d+)-of-(\d+)\.jsonl")
ALL = re.compile(f"{ITEMS.pattern}|{GONE.pattern}")
# Folders below the output folder.
IMAGES, REJECTED, _MANIFEST, PENDING = "images", "rejected", "manifest", "manifest/pending"
_ROWS_OR_NOTES = re.compile(rf"{_MANIFEST}/({ALL.pattern})|{PENDING}/[0-9a-f]{{32}}\.jsonl")


@dataclasses.dataclass(frozen=True)
class OutputPaths:
    """Paths of one output folder."""

    output: str

    def at(self, name: str) -> str:
        """Returns the path of a file that is named relative to the output folder."""
        return files.join(self.output, name)

    @property
    def images(self) -> str:
        """Folder of the copies."""
        return self.at(IMAGES)

    @property
    def rejected(self) -> str:
        """Folder of the copies that reviewers rejected."""
        return self.at(REJECTED)

    @property
    def manifest(self) -> str:
        """Folder of rows, totals and runs."""
        return self.at(_MANIFEST)

    @property
    def pending(self) -> str:
        """Folder of the write-ahead log."""
        return self.at(PENDING)

    @property
    def scratch(self) -> str:
        """Folder of a run under way, deleted at its end; left by a run that was killed."""
        return self.at(SCRATCH)

    @property
    def progress(self) -> str:
        """Folder of the workers' counts."""
        return files.join(self.scratch, "progress")

    @property
    def spool(self) -> str:
        """Folder of the unpacked members of compressed tars."""
        return files.join(self.scratch, "spool")

    @property
    def canary(self) -> str:
        """Output folder of the canary's trial run."""
        return files.join(self.scratch, "canary")

    def row_files(self, kind: re.Pattern[str]) -> list[str]:
        """Returns the names of the files of rows (ITEMS, GONE, ALL) in the manifest folder, sorted.

        The output folder may have wildcards in its name.
        """
        found = (info.path.removeprefix(f"{self.manifest}/") for info in files.list_folder(self.manifest))
        return sorted(name for name in found if kind.fullmatch(name))


def row_file(name: str) -> str:
    """Returns the path below the output folder of a file of rows, such as `items-00000-of-00001.jsonl`."""
    return f"{_MANIFEST}/{name}"


def note_file(name: str) -> str:
    """Returns the path below the output folder of a file of the write-ahead log."""
    return f"{PENDING}/{name}"


def is_copy_path(name: str) -> bool:
    """Whether an untrusted path may be one of a copy: below images/ or rejected/, printable."""
    parts = name.split("/")
    is_below = len(parts) > 1 and parts[0] in (IMAGES, REJECTED) and parts[-1] not in ("", ".") and ".." not in parts
    return is_below and printable(name) == name


def is_apart(name: str) -> bool:
    """Whether a path below the output folder is of a run under way, the review page or the publication."""
    return name.partition("/")[0] in (SCRATCH, REVIEW, PUBLISH)


def is_listing(name: str) -> bool:
    """Whether a path below the output folder is a file of its manifest."""
    return name in (SUMMARY, RUNS, CANARY_SHEET) or bool(_ROWS_OR_NOTES.fullmatch(name))
