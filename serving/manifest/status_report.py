"""Status report of an output folder, from its manifest alone: no scan and no copy is opened or searched for."""

import collections
import os
import time
from typing import Any

from photochrom import __version__
from photochrom.storage import files
from serving.manifest import reader
from serving.manifest.audit import Audit
from serving.manifest.layout import OutputPaths
from serving.manifest.reader import Account
from serving.manifest.rows import FAILED, Row, Run

_RUNS = 5
RETRIED, RECHECKED, OTHER_MODEL, OTHER_SETTINGS, KEPT = (
    "failed", "without_digests", "other_model", "other_settings", "kept",
)  # fmt: skip
CANNOT_TELL = (
    "whether scans changed, came or went",
    "whether the copies still exist and are whole (photochrom verify reads them)",
    "whether flags are the same as the last run's",
)


def read(folder: str) -> dict[str, Any]:
    """Returns the state of an output folder as a JSON object; docs/runs.md has the fields.

    Raises:
        UsageError: there is no manifest, or it is broken.
    """
    account = reader.read(folder)
    audit = Audit(account)
    kinds: collections.Counter[str] = collections.Counter()
    again: collections.Counter[str] = collections.Counter()
    last = list(account.runs.values())[-1] if account.runs else None
    for _, row in audit.watch(reader.read_rows(folder)):
        kinds[row.kind or "unknown"] += 1
        again[_fate(row, last)] += 1
    totals, problems = audit.summary(), audit.problems()
    unfinished = audit.unfinished()
    return {
        "finished": not unfinished,
        "unfinished": unfinished,
        "noted": reader.noted(folder),
        "seconds_since_sign_of_life": _seconds_since_sign_of_life(folder) if account.is_open else None,
        "adds_up": not problems,
        "problems": problems,
        **totals.totals(),
        "share_done": _ratio(totals.done, totals.listed),
        "reasons": totals.reasons,
        "kinds": dict(sorted(kinds.items())),
        "finished_runs": len(account.runs),
        "runs": [_of_run(run, audit) for run in list(account.runs.values())[-_RUNS:]],
        "again": _again(again, account, last),
    }


def _of_run(run: Run, audit: Audit) -> dict[str, Any]:
    """Returns a run, its duration, its rates and the number of rows that it was the first to leave unchanged."""
    rows = audit.of_run[run.run]
    return {
        **run.to_json(),
        "seconds": run.seconds,
        "rows": rows,
        "listed_per_second": _ratio(run.listed, run.seconds),
        "rows_per_second": _ratio(rows, run.seconds),
    }


def _fate(row: Row, last: Run | None) -> str:
    """Returns the fate of a row when the last run's command is run again on the same scans."""
    return (
        RETRIED if row.status == FAILED
        else RECHECKED if not row.model_digest  # no image: the row has no digest that would show it is current
        else KEPT if not last or row.decision
        else OTHER_MODEL if row.model_digest != last.model_digest
        else OTHER_SETTINGS if row.settings_digest != last.settings_digest
        else KEPT
    )  # fmt: skip


def _again(counts: collections.Counter[str], account: Account, last: Run | None) -> dict[str, Any]:
    """Returns what the last run's command would do again; the settings digest covers the software's version too."""
    other_version = last.version if last and last.version != __version__ else ""
    if other_version:
        counts[OTHER_SETTINGS] += counts.pop(KEPT, 0) + counts.pop(OTHER_MODEL, 0)
    names = (KEPT, RETRIED, RECHECKED, OTHER_MODEL, OTHER_SETTINGS)
    return {
        "known": bool(account.runs),
        **{name: counts[name] for name in names},
        "other_version": other_version,
        "cannot_tell": list(CANNOT_TELL),
    }


def _seconds_since_sign_of_life(folder: str) -> int | None:
    """Returns how long ago a worker of the open run counted something; None if that is unknown."""
    if not files.is_local(folder):
        return None
    try:
        with os.scandir(OutputPaths(folder).progress) as entries:
            times = [entry.stat(follow_symlinks=False).st_mtime for entry in entries]
    except OSError:
        return None
    return max(int(time.time() - max(times)), 0) if times else None


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole > 0 else None
