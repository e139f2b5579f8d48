import dataclasses

import pytest

from photochrom.sources.source import Source
from serving.manifest import changes
from serving.manifest.changes import Before, Changes
from serving.manifest.rows import DONE, FAILED, Row, Run


def row(key: str, status: str = DONE, **values) -> Row:
    return Row.of(Source(key, key), status=status, **values)


def compare(before: list[Row], after: list[Row]) -> Changes:
    return Changes.of({one.key: Before.of(one) for one in before}, after)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [row("a"), row("b", FAILED)], Changes(new=2, newly_failed=1)),
        ([row("a", run=1)], [dataclasses.replace(row("a"), source_version="mtime:2")], Changes(kept=1)),
        ([row("a", run=1)], [row("a", run=1)], Changes(kept=1)),
        ([row("a")], [row("a", date="2026-01-31")], Changes(changed=1)),
        ([row("a"), row("b")], [row("b")], Changes(kept=1, delisted=1)),
        ([row("a", FAILED)], [row("a", FAILED)], Changes(kept=1)),
        ([row("a", FAILED, message="x")], [row("a", FAILED, message="y")], Changes(changed=1)),
        ([row("a", FAILED)], [row("a")], Changes(changed=1)),
        ([row("a")], [row("a", FAILED)], Changes(changed=1, newly_failed=1)),
    ],
)
def test_changes_compare_rows_by_key(before, after, expected):
    assert compare(before, after) == expected


def test_changes_of_files_add_up():
    parts = [Changes(1, 2, 3, 4, 5), Changes(10, 20, 30, 40, 50)]
    assert Changes.total(parts) == Changes(11, 22, 33, 44, 55)
    assert Changes.total([]) == Changes()


@pytest.mark.parametrize(("failed", "end"), [(1, "; 1 failed"), (14, "; 1 failed (13 failed before)")])
def test_line_states_new_failures_and_old_ones(failed, end):
    run = Run(2, "2026-01-31T12:00:00Z", "2026-01-31T12:01:00Z", "1", "tint", "m", "s", 116, 100, 2, failed)
    run = dataclasses.replace(run, **Changes(3, 1, 112, 2, 1)._asdict())
    assert changes.line(run) == "in this run: 3 new, 1 changed, 2 delisted, 112 kept" + end
