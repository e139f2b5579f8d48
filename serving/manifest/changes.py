"""Changes of the rows from one run to the next, by key: new, changed, kept, delisted, newly failed."""

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

from photochrom import settings
from serving.manifest.rows import FAILED, Row, Run


class Before(NamedTuple):
    """The row that the run before left of a listed input, as far as a comparison needs it."""

    key: str
    status: str
    run: int
    content: str

    @classmethod
    def of(cls, row: Row) -> "Before":
        """Returns it for a row."""
        return cls(row.key, row.status, row.run, content(row))

    def is_same(self, row: Row) -> bool:
        """Whether a row is the same as this one, `run` and `source_version` aside; a kept row still has its run."""
        return bool(row.run and row.run == self.run) or self.content == content(row)


def content(row: Row) -> str:
    """Returns a digest of a row without `run` and `source_version`, which a touched file changes."""
    return settings.digest(dataclasses.replace(row, run=0, source_version="").to_json())


class Changes(NamedTuple):
    """Numbers of inputs; `runs.jsonl` has them by these names.

    Attributes:
        new: that the run before did not list.
        changed: whose row differs from that of the run before.
        kept: whose row is the same.
        delisted: that the run before listed, and this one does not.
        newly_failed: failed ones that had not failed in the run before.
    """

    new: int = 0
    changed: int = 0
    kept: int = 0
    delisted: int = 0
    newly_failed: int = 0

    @classmethod
    def of(cls, before: dict[str, Before], rows: Iterable[Row]) -> "Changes":
        """Compares the rows of all listed inputs with those of the run before, by key."""
        rows = list(rows)
        known = {row.key: row for row in rows if row.key in before}
        kept = sum(before[key].is_same(row) for key, row in known.items())
        failed_before = {key for key, one in before.items() if one.status == FAILED}
        failed = {row.key for row in rows if row.status == FAILED}
        return cls(
            len(rows) - len(known), len(known) - kept, kept, len(before) - len(known), len(failed - failed_before)
        )

    @classmethod
    def total(cls, parts: Iterable["Changes"]) -> "Changes":
        """Adds up the changes of several files of rows."""
        return cls(*map(sum, zip(cls(), *parts, strict=True)))


def line(run: Run) -> str:
    """Returns the changes of a run as one line."""
    before = run.failed - run.newly_failed
    return (
        f"in this run: {run.new} new, {run.changed} changed, {run.delisted} delisted, {run.kept} kept; "
        f"{run.newly_failed} failed" + (f" ({before} failed before)" if before else "")
    )
