"""The resume decision: a row for each combination that matters, with the expected decision."""

import dataclasses
import time

import pytest

from photochrom import errors
from photochrom.sources.source import Source
from serving.manifest.rows import Begun, MadeWith, Outcome, Row
from serving.resume import decide
from serving.resume.decide import Earlier, Fate

KEEP, MAKE, DELIST, FORGET, EXCLUDE = Fate.KEEP, Fate.MAKE, Fate.DELIST, Fate.FORGET, Fate.EXCLUDE
SAME = MadeWith("aa" * 32, "sha256:m", "sha256:s")
OTHER = MadeWith("aa" * 32, "sha256:m2", "sha256:s")
COPY, SIDECAR = "images/a.jpg", "images/a.jpg.xmp"
SOURCE = Source("a.jpg", "/in/a.jpg", size=7, version="mtime:1000000000")


def row(status: str = "done", made_with: MadeWith = SAME, **values) -> Row:
    if status == "done":
        values = {"output": COPY, "output_sha256": "bb" * 32, "sidecars": {SIDECAR: "cc" * 32}, **values}
    return Row.of(SOURCE, made_with, status=status, date="2026-01-31" if status == "done" else "", **values)


def begun(made_with: MadeWith, date: str = "2026-01-31") -> Begun:
    return Begun.of(dataclasses.replace(row(made_with=made_with), date=date))


# status, retry, same digests, missing files, contested by a note, listed, excluded -> decision
TABLE = [
    # An earlier row stands if it is of the same scan, model and settings ...
    ("done", "failed", True, (), "", True, False, KEEP),
    ("done", "none", True, (), "", True, False, KEEP),
    ("done", "all", True, (), "", True, False, MAKE),
    ("skipped", "failed", True, (), "", True, False, KEEP),
    ("skipped", "none", True, (), "", True, False, KEEP),
    ("skipped", "all", True, (), "", True, False, MAKE),
    ("failed", "failed", True, (), "", True, False, MAKE),
    ("failed", "none", True, (), "", True, False, KEEP),
    ("failed", "all", True, (), "", True, False, MAKE),
    # ... and no row of another scan, model or settings does.
    ("done", "failed", False, (), "", True, False, MAKE),
    ("done", "none", False, (), "", True, False, MAKE),
    ("done", "all", False, (), "", True, False, MAKE),
    ("skipped", "failed", False, (), "", True, False, MAKE),
    ("failed", "failed", False, (), "", True, False, MAKE),
    ("failed", "none", False, (), "", True, False, MAKE),
    # A lost copy or sidecar is made again.
    ("done", "failed", True, (COPY,), "", True, False, MAKE),
    ("done", "none", True, (COPY,), "", True, False, MAKE),
    ("done", "failed", True, (SIDECAR,), "", True, False, MAKE),
    ("done", "failed", True, ("images/other.jpg",), "", True, False, KEEP),
    ("skipped", "failed", True, ("images/other.jpg",), "", True, False, KEEP),
    # A note that another run began to overwrite the copy: the row stands if the files still have its digests.
    ("done", "failed", True, (), "whole", True, False, KEEP),
    ("done", "failed", True, (), "overwritten", True, False, MAKE),
    ("done", "none", True, (), "overwritten", True, False, MAKE),
    ("done", "failed", True, (COPY,), "whole", True, False, MAKE),
    ("done", "failed", True, (), "by the same", True, False, KEEP),
    ("done", "failed", True, (), "by the same on another day", True, False, MAKE),
    ("skipped", "failed", True, (), "overwritten", True, False, KEEP),
    ("failed", "none", True, (), "overwritten", True, False, KEEP),
    # An input that is no longer listed: its row is kept aside for as long as it has a copy.
    ("done", "failed", True, (), "", False, False, DELIST),
    ("done", "all", False, (), "", False, False, DELIST),
    ("done", "failed", False, (), "overwritten", False, False, DELIST),
    ("done", "failed", True, (SIDECAR,), "", False, False, DELIST),
    ("done", "failed", True, (COPY,), "", False, False, FORGET),
    ("skipped", "failed", True, (), "", False, False, FORGET),
    ("failed", "none", True, (), "", False, False, FORGET),
    # An excluded input, listed or not, whatever earlier runs made of it.
    ("done", "failed", True, (), "", True, True, EXCLUDE),
    ("done", "none", True, (), "", True, True, EXCLUDE),
    ("failed", "none", True, (), "", True, True, EXCLUDE),
    ("skipped", "failed", True, (), "", True, True, EXCLUDE),
    ("done", "failed", True, (), "", False, True, EXCLUDE),
    ("failed", "failed", True, (), "", False, True, EXCLUDE),
]


@pytest.mark.parametrize(
    ("status", "retry", "same", "missing", "contested", "is_listed", "is_excluded", "expected"), TABLE
)
def test_decide_follows_the_table(status, retry, same, missing, contested, is_listed, is_excluded, expected):
    earlier_row = row(status)
    notes = {
        "": (),
        "by the same": (begun(SAME),) if status == "done" else (begun(SAME, ""),),
        "by the same on another day": (begun(SAME, "2026-02-02"),),
    }.get(contested, (begun(OTHER),))
    decision = decide.decide(
        Earlier((earlier_row,), notes, frozenset(missing)),
        lambda found: found.made_with == (SAME if same else OTHER),
        retry,
        lambda path, sha256: contested == "whole" and earlier_row.files.count((path, sha256)) == 1,
        is_listed=is_listed,
        is_excluded=is_excluded,
    )
    assert decision.fate is expected
    assert decision.kept == (Outcome(earlier_row) if expected in (KEEP, DELIST) else None)


def decided(earlier: Earlier, retry: str = "failed", made_with: MadeWith = SAME) -> decide.Decision:
    return decide.decide(earlier, lambda found: found.made_with == made_with, retry, lambda path, sha256: True)


# How the row of an unfinished run counts: as done, but for failures, beside a finished one of other settings.
@pytest.mark.parametrize(
    ("finished", "noted", "retry", "expected"),
    [
        ((), row(), "failed", KEEP),
        ((), row(), "all", KEEP),
        ((), row("failed"), "failed", MAKE),
        ((), row("failed"), "none", KEEP),
        ((), row("failed"), "all", KEEP),
        ((row(made_with=OTHER),), row(), "failed", KEEP),
        ((row(made_with=OTHER),), row(), "all", KEEP),
        ((row(),), row(made_with=OTHER), "all", MAKE),
        ((row(),), row(), "all", KEEP),
    ],
)
def test_row_of_an_unfinished_run_counts_as_done(finished, noted, retry, expected):
    assert decided(Earlier(finished, (Outcome(noted),)), retry).fate is expected


def test_no_earlier_result_is_made():
    assert decided(Earlier()).fate is MAKE
    assert decide.decide(Earlier(), lambda row: True, "none", lambda *file: True, is_listed=False).fate is FORGET


def test_kept_row_makes_the_other_earlier_files_obsolete():
    old = row(made_with=OTHER, output="images/a.jpg.coloured.tif", sidecars={})
    decision = decided(Earlier((old,), (Outcome(row(), ("images/older.tif", COPY)),)))
    assert decision.kept == Outcome(row(), ("images/a.jpg.coloured.tif", "images/older.tif"))


def test_failed_row_that_stands_makes_nothing_obsolete():
    decision = decided(Earlier((row(made_with=OTHER), row("failed"))), retry="none")
    assert decision.kept == Outcome(row("failed"))


def test_earlier_has_a_stable_order():
    rows = [row(run=2), row("skipped", run=1)]
    notes = [Outcome(row()), begun(SAME), begun(OTHER)]
    earlier = Earlier.of(rows, notes, {"images/x"})
    assert earlier == Earlier.of(rows[::-1], notes[::-1], {"images/x"})
    assert [found.run for found in earlier.rows] == [1, 2, 0] and earlier.noted == (Outcome(row()),)
    assert earlier.paths() == {COPY, SIDECAR}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, True),
        ({"version": "mtime:2"}, False),
        ({"size": 8}, False),
        ({"version": ""}, False),
        ({"failure": errors.Failure("a.jpg", "list", "unreadable", "x")}, False),
    ],
)
def test_listing_shows_whether_a_scan_is_the_same(values, expected):
    assert decide.is_listed_same(row(), dataclasses.replace(SOURCE, **values)) is expected


def test_listing_without_a_version_shows_nothing():
    unknown = dataclasses.replace(SOURCE, version="")
    assert not decide.is_listed_same(Row.of(unknown, SAME), unknown)


def test_touched_file_gets_the_current_listing():
    touched = dataclasses.replace(SOURCE, version="mtime:9", size=9, page_count=2)
    found = decide.with_listing(row(), touched)
    assert (found.source_version, found.source_bytes, found.pages) == ("mtime:9", 9, 2)
    assert dataclasses.replace(found, source_version=SOURCE.version, source_bytes=7, pages=1) == row()


@pytest.mark.parametrize("version", ["mtime:1000000000000000000", "crc32:0000abcd", ""])
def test_version_of_a_settled_source_is_kept(version):
    assert decide.settled(dataclasses.replace(SOURCE, version=version)).version == version


def test_version_of_a_fresh_file_is_dropped():
    version = f"mtime:{int((time.time() + 600) * 1e9)}"  # by a clock that is ahead
    assert decide.settled(dataclasses.replace(SOURCE, version=version)).version == ""


# decision, retry, same digests but those of the scan -> whether the row is of the current scan, model and settings
@pytest.mark.parametrize(
    ("decision", "retry", "made_with", "expected"),
    [
        ("", "failed", SAME, True),
        ("", "failed", OTHER, False),
        ("accepted", "failed", OTHER, True),
        ("rejected", "none", OTHER, True),
        ("redone", "failed", OTHER, True),
        ("accepted", "failed", MadeWith("dd" * 32, "sha256:m", "sha256:s"), False),
        ("", "rejected", OTHER, True),
        ("", "rejected", MadeWith("dd" * 32, "sha256:m", "sha256:s"), False),
    ],
)
def test_decided_row_stands_for_other_models(decision, retry, made_with, expected):
    assert decide.is_current(row(decision=decision), made_with, retry) is expected


@pytest.mark.parametrize(
    ("decision", "status", "retry", "fate"),
    [
        ("accepted", "done", "rejected", KEEP),
        ("accepted", "done", "all", MAKE),
        ("rejected", "skipped", "rejected", MAKE),
        ("rejected", "skipped", "failed", KEEP),
        ("rejected", "skipped", "all", MAKE),
        ("", "failed", "rejected", KEEP),
    ],
)
def test_retry_of_rejected_makes_these_alone(decision, status, retry, fate):
    earlier = Earlier.of([row(status, decision=decision)], [], [])
    assert decide.decide(earlier, lambda one: True, retry, lambda path, sha256: True).fate is fate
