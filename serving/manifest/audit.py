"""Whether the rows of a manifest add up, told from the rows alone, one at a time.

The file of a row follows from its key, and a file has its rows in order of keys: so a key that comes twice is found
without keeping any. A key that has lost its row cannot be named, for nothing else names it; the totals tell of it.
"""

import collections
import itertools
from collections.abc import Iterable, Iterator, Mapping

from photochrom.sources import keys
from photochrom.storage.names import printable
from serving.manifest import manifest, reader
from serving.manifest.manifest import Row
from serving.manifest.reader import Account

_MAX_EXAMPLES = 20


class Audit:
    """Takes the rows in order and holds them against one another, summary.json and runs.jsonl.

    Attributes:
        count: rows so far.
        reasons: `status:reason` -> rows.
        of_run: number of a run -> rows that it was the first to leave as they are.
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
        """Yields (file of the manifest, row) as they come, and counts them."""
        for name, row in rows:
            self._add(name, row)
            yield name, row

    def _add(self, name: str, row: Row) -> None:
        if name != self._file:
            self._file, self._key = name, ""
            self._cuts.add(name.rpartition("-of-")[2])
        elif row["key"] <= self._key:
            self._tell(row, "has more than one row" if row["key"] == self._key else f"is out of order in {name}")
        index, total = map(int, manifest.ITEMS.fullmatch(name).groups())  # type: ignore[union-attr]
        if keys.digest(row["key"]) % max(total, 1) != index:
            self._tell(row, f"has a row in {name}, where none of that key belongs")
        if row["status"] == manifest.DONE and not row["output"]:
            self._tell(row, "is done, but its row names no copy")
        self._key = row["key"]
        self.count += 1
        self.reasons[f"{row['status']}:{row['reason']}"] += 1
        self.of_run[row.get("run", 0)] += 1

    def _tell(self, row: Row, problem: str) -> None:
        self._problem_count += 1
        if len(self._problems) < _MAX_EXAMPLES:
            self._problems.append(f"{printable(row['key'])[:300]} {problem}")

    def totals(self) -> dict[str, int]:
        """Returns the rows' own `listed`, `done`, `skipped`, `failed`."""
        found = dict.fromkeys((manifest.DONE, manifest.SKIPPED, manifest.FAILED), 0)
        for reason, count in self.reasons.items():
            found[reason.partition(":")[0]] += count
        return {"listed": self.count, **found}

    def problems(self) -> list[str]:
        """Returns a line for what does not add up, of many keys the first alone; once all rows were there."""
        more = self._problem_count - len(self._problems)
        found = [*self._problems, *([f"{more} more keys have such rows"] if more else [])]
        if len(self._cuts) > 1:
            found.append(f"the manifest has files of different cuts: of {' and of '.join(sorted(self._cuts)[:5])}")
        summary = self._account.summary
        if self.count != summary["listed"]:
            found.append(f"the manifest has {self.count} rows, its summary.json says {summary['listed']}")
        totals = self.totals()
        differing = self._differing(self.reasons, summary["reasons"]) or self._differing(totals, summary, totals)
        return [*found, *itertools.islice(differing, _MAX_EXAMPLES)]

    @staticmethod
    def _differing(rows: Mapping[str, int], told: Mapping[str, int], names: Iterable[str] = ()) -> list[str]:
        return [
            f"the manifest has {rows.get(name, 0)} rows that are {printable(name)[:100].rstrip(':')}, its "
            f"summary.json says {told.get(name, 0)}"
            for name in sorted(names or rows.keys() | told.keys())
            if rows.get(name, 0) != told.get(name, 0) and name != "listed"
        ]

    def unfinished(self) -> str:
        """Returns what tells that the last run did not come to its end, or ""."""
        unknown = sorted(self.of_run.keys() - self._account.runs.keys() - {0})
        return (
            reader.UNDER_WAY if self._account.is_open
            else f"{self.of_run[unknown[0]]} rows are of run {unknown[0]}, which is not in runs.jsonl: it was killed"
            if unknown
            else ""
        )  # fmt: skip
