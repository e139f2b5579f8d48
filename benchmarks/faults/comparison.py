"""Comparison of the output folder of a disturbed run with that of an undisturbed one."""

import collections
import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from photochrom.storage import files
from serving.manifest import layout

Row = dict[str, object]
# (status, reason) of a row
End = tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Differences between two folders; all zero if there are none.

    Attributes:
        lost: missing copies.
        duplicated: copies that the undisturbed run has not made.
        partial: copies with other bytes, and temporary files.
        rows_missing, rows_duplicated, rows_changed: inputs without a row, with several rows, with a different row.
        problems: other differences, in words.
    """

    lost: int = 0
    duplicated: int = 0
    partial: int = 0
    rows_missing: int = 0
    rows_duplicated: int = 0
    rows_changed: int = 0
    problems: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        return self == Verdict()

    def __add__(self, other: "Verdict") -> "Verdict":
        return Verdict(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))


def astuple(verdict: Verdict) -> tuple:
    return tuple(getattr(verdict, field.name) for field in dataclasses.fields(verdict))


@dataclasses.dataclass(frozen=True)
class Tree:
    """An output folder: path of a copy -> SHA-256; key -> its rows, without `run`; other files."""

    images: dict[str, str]
    rows: dict[str, list[Row]]
    strays: tuple[str, ...]

    @classmethod
    def of(cls, output: pathlib.Path) -> "Tree":
        names = [str(path.relative_to(output)) for path in sorted(output.rglob("*")) if not path.is_dir()]
        strays = [name for name in names if _is_stray(name)]
        images = [name for name in names if name.startswith("images/") and name not in strays]
        rows: dict[str, list[Row]] = collections.defaultdict(list)
        for row in _rows(output):
            rows[str(row["key"])].append({**row, "run": 0})
        digests = {name: hashlib.sha256((output / name).read_bytes()).hexdigest() for name in images}
        return cls(digests, dict(rows), tuple(strays))

    def ends(self) -> dict[str, End]:
        """Returns key -> (status, reason)."""
        return {key: (str(rows[0]["status"]), str(rows[0]["reason"])) for key, rows in self.rows.items()}


def _is_stray(name: str) -> bool:
    is_manifest = name.startswith("manifest/") and name.count("/") == 1
    return files.TEMPORARY_MARK in name or not (is_manifest or name.startswith("images/"))


def _rows(output: pathlib.Path) -> Iterable[Row]:
    for path in sorted((output / "manifest").glob("items-*.jsonl")):
        if layout.ITEMS.fullmatch(path.name):
            yield from map(json.loads, path.read_text().splitlines())


def compare(output: pathlib.Path, reference: Tree, extra: Mapping[str, End] = MappingProxyType({})) -> Verdict:
    """Returns the differences of a folder from a reference.

    Args:
        output: the folder.
        reference: its expected contents.
        extra: key -> (status, reason) of inputs that the reference lacks.
    """
    found = Tree.of(output)
    rows = {key: found.rows.get(key, []) for key in reference.rows}
    copies = {str(row["output"]) for key in extra for row in found.rows.get(key, [])}
    strangers = found.rows.keys() - reference.rows.keys() - extra.keys()
    return Verdict(
        lost=len(reference.images.keys() - found.images.keys()),
        duplicated=len(found.images.keys() - reference.images.keys() - copies),
        partial=torn(found, reference) + len(found.strays),
        rows_missing=sum(not one for one in rows.values()) + len(extra.keys() - found.rows.keys()),
        rows_duplicated=sum(len(one) > 1 for one in found.rows.values()),
        rows_changed=sum(one[:1] != reference.rows[key][:1] for key, one in rows.items() if one)
        + sum(found.ends().get(key, end) != end for key, end in extra.items())
        + len(strangers),
        problems=(f"{layout.SCRATCH} was left",) if (output / layout.SCRATCH).exists() else (),
    )


def torn(found: Tree, reference: Tree) -> int:
    """Returns the number of existing copies whose bytes differ from the reference."""
    return sum(digest != reference.images.get(name, digest) for name, digest in found.images.items())
