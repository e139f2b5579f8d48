import collections

import pytest

from photochrom.sources import keys
from photochrom.sources.source import Source
from serving.manifest import reader
from serving.manifest.audit import Audit
from serving.manifest.reader import Account
from serving.manifest.rows import FAILED, Row, Run, Summary

RUN = Run(1, "2026-01-31T12:00:00Z", "2026-01-31T12:01:00Z", "1", "tint", "m", "s", 2, 2, 0, 0)
ONE = "items-00000-of-00001.jsonl"


def row(key: str, **values) -> Row:
    return Row.of(Source(key, key), **{"output": f"images/{key}", "output_sha256": "0" * 64, "run": 1, **values})


def audit(rows, *, reasons=None, is_open=False) -> Audit:
    """Audits (file, row) pairs against totals, by default those of the rows."""
    reasons = collections.Counter(f"{row.status}:{row.reason}" for _, row in rows) if reasons is None else reasons
    found = Audit(Account(Summary.of(sum(reasons.values()), dict(reasons)), {1: RUN}, is_open))
    assert list(found.watch(rows)) == rows
    return found


def test_audit_accepts_rows_that_add_up():
    found = audit([(ONE, row("a")), (ONE, row("b", status=FAILED, reason="undecodable", output=""))])
    assert (found.problems(), found.unfinished()) == ([], "")
    assert (found.count, found.of_run[1]) == (2, 2)
    assert found.summary().totals()["failed"] == 1


@pytest.mark.parametrize(
    ("rows", "reasons", "problem"),
    [
        ([(ONE, row("a")), (ONE, row("a"))], None, "a has more than one row"),
        ([(ONE, row("b")), (ONE, row("a"))], None, f"a is out of order in {ONE}"),
        ([(ONE, row("a", output=""))], None, "a is done, but its row names no copy"),
        ([(ONE, row("a"))], {"done:": 2}, "the manifest has 1 rows, its summary.json says 2"),
        ([(ONE, row("a"))], {"failed:x": 1}, "the manifest has 1 rows that are done, its summary.json says 0"),
    ],
)
def test_audit_names_what_does_not_add_up(rows, reasons, problem):
    assert problem in audit(rows, reasons=reasons).problems()


def test_audit_finds_rows_in_other_files():
    index = keys.digest("a") % 2
    name, other = (f"items-{i:05d}-of-00002.jsonl" for i in (index, 1 - index))
    assert audit([(name, row("a"))]).problems() == []
    assert audit([(other, row("a"))]).problems() == [f"a has a row in {other}, where none of that key belongs"]
    mixed = audit([(ONE, row("a")), (name, row("a"))]).problems()
    assert any("files of different cuts: of 00001.jsonl and of 00002.jsonl" in problem for problem in mixed)


def test_audit_names_few_of_many_problems():
    rows = [(ONE, row(f"{number:03d}", output="")) for number in range(30)]
    problems = audit(rows).problems()
    assert len(problems) == 21 and problems[-1] == "10 more keys have such rows"


@pytest.mark.parametrize(
    ("run", "is_open", "expected"),
    [(1, False, ""), (0, False, ""), (1, True, reader.UNDER_WAY), (2, False, "1 rows are of run 2, which is not in")],
)
def test_audit_knows_an_unfinished_run(run, is_open, expected):
    found = audit([(ONE, row("a", run=run))], is_open=is_open).unfinished()
    assert found.startswith(expected) and bool(found) is bool(expected)
