"""Checks that the rows of a manifest add up, from the rows alone, one at a time.

The file of a row follows from its key, and a file has its rows in order of keys: so a key that comes twice is found
without keeping any. A key that has lost its row cannot be named, for nothing else names it; the totals show the loss.
"""

import collections
import itertools
from collections.abc import Iterable, Iterator, Mapping

from photochrom.sources import keys
from photochrom.storage.names import printable
from serving.manifest import layout, reader
from serving.manifest.reader import Account
from serving.manifest.rows import DONE, Row, Summary

_MAX_EXAMPLES = 20


class Audit:
    """Takes the rows in order and compares them with one another, summary.json and runs.jsonl.

    Attributes:
        count: rows so far.
        reasons: `status:reason` -> rows.
        of_run: number of a run -> rows that it was the first to leave unchanged.
    """

    def __init__(self, account: Account):
        self.count = 0
        self.reasons: collections.Counter[str] = collections.Counter()
        self.of_run: collections.Counter[int] = collections.Counter()
        self._account = account
        self._file, self._key = "", ""
        self._cuts: set[str] = set()
        self._problems: list[str] = []
        self._problem_count = 0

    def watch(self, rows: Iterable[tuple[str, Row]]) -> Iterator[tuple[str, Row]]:
        """Yields (file of the manifest, row) in the given order, and counts them."""
        for name, row in rows:
            self._add(name, row)
            yield name, row

    def _add(self, name: str, row: Row) -> None:
        if name != self._file:
            self._file, self._key = name, ""
            self._cuts.add(name.rpartition("-of-")[2])
        elif row.key <= self._key:
            self._add_problem(row, "has more than one row" if row.key == self._key else f"is out of order in {name}")
        index, total = map(int, layout.ITEMS.fullmatch(name).groups())  # type: ignore[union-attr]
        if keys.digest(row.key) % max(total, 1) != index:
            self._add_problem(row, f"has a row in {name}, where none of that key belongs")
        if row.status == DONE and not row.output:
            self._add_problem(row, "is done, but its row names no copy")
        self._key = row.key
        self.count += 1
        self.reasons[f"{row.status}:{row.reason}"] += 1
        self.of_run[row.run] += 1

    def _add_problem(self, row: Row, problem: str) -> None:
        self._problem_count += 1
        if len(self._problems) < _MAX_EXAMPLES:
            self._problems.append(f"{printable(row.key)[:300]} {problem}")

    def summary(self) -> Summary:
        """Returns the totals of the rows themselves."""
        return Summary.of(self.count, self.reasons)

    def problems(self) -> list[str]:
        """Returns a line for each problem, for many keys the first ones; call it after the last row."""
        more = self._problem_count - len(self._problems)
        found = [*self._problems, *([f"{more} more keys have such rows"] if more else [])]
        if len(self._cuts) > 1:
            found.append(f"the manifest has files of different cuts: of {' and of '.join(sorted(self._cuts)[:5])}")
        summary = self._account.summary
        if self.count != summary.listed:
            found.append(f"the manifest has {self.count} rows, its summary.json says {summary.listed}")
        differing = self._differing(self.reasons, summary.reasons) or self._differing(
            self.summary().totals(), summary.totals()
        )
        return [*found, *itertools.islice(differing, _MAX_EXAMPLES)]

    @staticmethod
    def _differing(rows: Mapping[str, int], stated: Mapping[str, int]) -> list[str]:
        return [
            f"the manifest has {rows.get(name, 0)} rows that are {printable(name)[:100].rstrip(':')}, its "
            f"summary.json says {stated.get(name, 0)}"
            for name in sorted(rows.keys() | stated.keys())
            if rows.get(name, 0) != stated.get(name, 0) and name != "listed"
        ]

    def unfinished(self) -> str:
        """Returns why the last run counts as unfinished, or ""."""
        unknown = sorted(self.of_run.keys() - self._account.runs.keys() - {0})
        return (
            reader.UNDER_WAY if self._account.is_open
            else f"{self.of_run[unknown[0]]} rows are of run {unknown[0]}, which is not in runs.jsonl: it was killed"
            if unknown
            else ""
        )  # fmt: skip
