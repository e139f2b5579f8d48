"""How an output folder stands, told from its manifest alone: no scan and no copy is opened or looked for."""

import collections
import os
import time
from typing import Any

from photochrom import __version__
from photochrom.storage import files
from serving import config
from serving.manifest import manifest, reader
from serving.manifest.audit import Audit
from serving.manifest.manifest import Row
from serving.manifest.reader import Account

_RUNS = 5
RETRIED, RECHECKED, OTHER_MODEL, OTHER_SETTINGS, KEPT = (
    "failed", "without_digests", "other_model", "other_settings", "kept",
)  # fmt: skip
CANNOT_TELL = (
    "whether scans changed, came or went",
    "whether the copies are still there and whole (photochrom verify reads them)",
    "whether flags are the same as the last run's",
)


def read(folder: str) -> dict[str, Any]:
    """Returns the state of an output folder, as JSON can hold it; docs/runs.md has the fields.

    Raises:
        UsageError: there is no manifest, or it is none that colorize writes.
    """
    account = reader.read(folder)
    audit = Audit(account)
    kinds: collections.Counter[str] = collections.Counter()
    again: collections.Counter[str] = collections.Counter()
    last = list(account.runs.values())[-1] if account.runs else None
    for _, row in audit.watch(reader.read_rows(folder)):
        kinds[row.get("kind") or "unknown"] += 1
        again[_fate(row, last)] += 1
    totals, problems = audit.totals(), audit.problems()
    unfinished = audit.unfinished()
    return {
        "finished": not unfinished,
        "unfinished": unfinished,
        "noted": reader.noted(folder),
        "seconds_since_sign_of_life": _seconds_since_sign_of_life(folder) if account.is_open else None,
        "adds_up": not problems,
        "problems": problems,
        **totals,
        "share_done": _ratio(totals[manifest.DONE], totals["listed"]),
        "reasons": dict(sorted(audit.reasons.items())),
        "kinds": dict(sorted(kinds.items())),
        "finished_runs": len(account.runs),
        "runs": [_of_run(run, audit) for run in list(account.runs.values())[-_RUNS:]],
        "again": _again(again, account, last),
    }


def _of_run(run: Row, audit: Audit) -> dict[str, Any]:
    """Returns a run, how long it took, its rates and how many rows are as it left them, being the first to do so."""
    seconds, rows = reader.seconds(run), audit.of_run[run["run"]]
    names = ("run", "started", "finished", "version", "model_name", "model_digest", "settings_digest")
    return {
        **{name: run[name] for name in (*names, "listed", manifest.DONE, manifest.SKIPPED, manifest.FAILED)},
        "seconds": seconds,
        "rows": rows,
        "listed_per_second": _ratio(run["listed"], seconds),
        "rows_per_second": _ratio(rows, seconds),
    }


def _fate(row: Row, last: Row | None) -> str:
    """Returns what becomes of a row when the last run's command is run again on the same scans."""
    return (
        RETRIED if row["status"] == manifest.FAILED
        else RECHECKED if not row["model_digest"]  # no image: nothing was kept that would tell it is current
        else KEPT if not last
        else OTHER_MODEL if row["model_digest"] != last["model_digest"]
        else OTHER_SETTINGS if row["settings_digest"] != last["settings_digest"]
        else KEPT
    )  # fmt: skip


def _again(counts: collections.Counter[str], account: Account, last: Row | None) -> dict[str, Any]:
    """Returns what the last run's command would do again; the digest of settings is over the software's version too."""
    other_version = last["version"] if last and last["version"] != __version__ else ""
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
    """Returns how long ago a worker of the open run counted something; None where that cannot be told."""
    if not files.is_local(folder):
        return None
    try:
        with os.scandir(files.join(folder, config.SCRATCH, "progress")) as entries:
            times = [entry.stat(follow_symlinks=False).st_mtime for entry in entries]
    except OSError:
        return None
    return max(int(time.time() - max(times)), 0) if times else None


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole > 0 else None
