"""The typed rows of a manifest and their JSON: the one schema that the writer and all readers share.

`Row` is an input, `Outcome` a row under way between steps, `Begun` a note of the write-ahead log, `Run` a line of
runs.jsonl, `Summary` the totals. `from_json` treats its argument as untrusted: it checks types, values and paths.
"""

import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from photochrom import errors
from photochrom.sources.source import Source
from photochrom.storage.names import printable
from serving.manifest import layout, schema

DONE, SKIPPED, FAILED = "done", "skipped", "failed"
# Decisions of reviewers: such rows stand until --retry asks for them. A rejected copy is set aside; a redone one was
# made in its place.
ACCEPTED, REJECTED, REDONE = "accepted", "rejected", "redone"
# More is a chain of TIFF directories without end rather than a file of that many pages.
MAX_PAGES = 10_000
# Status of a note: a run began to write this copy.
_BEGUN = "begun"
# Field of a note, beside those of its row.
_OBSOLETE = "obsolete"
# How runs.jsonl states a time, UTC.
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_CODE = re.compile(r"[a-z0-9_]{0,40}")
_DATE = re.compile(r"[0-9A-Za-z:.,+-]{0,40}")
_HEX = re.compile("[0-9a-f]{64}")


class MadeWith(NamedTuple):
    """The digests that decide the bytes of a copy, but for the date that it states."""

    source_sha256: str = ""
    model_digest: str = ""
    settings_digest: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """The row of one input; docs/formats.md has the fields."""

    key: str
    status: str
    reason: str = ""
    stage: str = ""
    message: str = ""
    source: str = ""
    source_sha256: str = ""
    source_bytes: int = 0
    source_version: str = ""
    pages: int = 1
    output: str = ""
    output_sha256: str = ""
    sidecars: dict[str, str] = dataclasses.field(default_factory=dict)
    model_digest: str = ""
    settings_digest: str = ""
    date: str = ""
    height: int = 0
    width: int = 0
    format: str = ""
    kind: str = ""
    chroma: float = 0.0
    spread: float = 0.0
    confidence: float = 0.0
    notes: tuple[str, ...] = ()
    decision: str = ""
    run: int = 0  # set when the rows are written

    @classmethod
    def of(cls, source: Source, made_with: MadeWith = MadeWith(), **values: Any) -> "Row":  # noqa: B008
        """Returns the row of a source, `done` unless `values` or a later step states otherwise."""
        return cls(
            key=source.key,
            source=printable(source.origin or source.path),
            source_bytes=max(source.size, 0),
            source_version=source.version,
            pages=source.page_count,
            **{"status": DONE, **made_with._asdict(), **values},
        )

    @classmethod
    def from_json(cls, value: Any) -> "Row":
        """Returns the row that a line of the manifest states; fields that older versions lack get their defaults.

        Raises:
            ValueError: it is no row that colorize writes.
        """
        fields = schema.checked(cls, value)
        row = cls(**{**fields, "notes": tuple(fields["notes"])})
        if row.status not in (DONE, SKIPPED, FAILED):
            raise ValueError(f"status is {row.status[:40]!r}, expected {DONE}, {SKIPPED} or {FAILED}")
        if row.decision not in ("", ACCEPTED, REJECTED, REDONE):
            raise ValueError(f"decision is {row.decision[:40]!r}, expected {ACCEPTED}, {REJECTED}, {REDONE} or none")
        for name in ("reason", "kind"):
            if not _CODE.fullmatch(getattr(row, name)):
                raise ValueError(f"{name} is {getattr(row, name)[:40]!r}, expected a code such as color_input")
        _check_date(row.date)
        if not 1 <= row.pages <= MAX_PAGES:
            raise ValueError(f"pages is {row.pages}, expected 1 to {MAX_PAGES}")
        for path, sha256 in row.files:
            _check_path(row.key, path)
            if not _HEX.fullmatch(sha256):
                raise ValueError(f"{printable(path)[:300]}: its row has no SHA-256")
        return row

    def to_json(self) -> dict[str, Any]:
        """Returns the fields, as a line of the manifest has them: a decision only where there is one."""
        return {name: getattr(self, name) for name in _ROW_FIELDS if name != "decision" or self.decision}

    def failed(self, error: errors.DataError) -> "Row":
        """Returns the row of an input that failed: without the date of a copy."""
        row = self.skipped(error.reason, error.stage, str(error))
        return dataclasses.replace(row, status=FAILED)

    def skipped(self, reason: str, stage: str, message: str) -> "Row":
        """Returns the row of an input that was left alone: without the date of a copy, or a decision about it."""
        return dataclasses.replace(
            self, status=SKIPPED, reason=reason, stage=stage, message=message, date="", decision=""
        )

    @property
    def made_with(self) -> MadeWith:
        """The digests that decide the bytes of the copy."""
        return MadeWith(self.source_sha256, self.model_digest, self.settings_digest)

    @property
    def files(self) -> list[tuple[str, str]]:
        """(Path below the output folder, SHA-256) of the copy and its sidecars; empty without a copy."""
        return [(self.output, self.output_sha256), *sorted(self.sidecars.items())] if self.output else []

    @property
    def paths(self) -> list[str]:
        """The paths alone."""
        return [path for path, _ in self.files]


_ROW_FIELDS = tuple(field.name for field in dataclasses.fields(Row))


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The row of an input between the steps, and in the write-ahead log.

    Attributes:
        row: the row.
        obsolete: paths below the output folder that earlier rows of the input named and that this one does not.
    """

    row: Row
    obsolete: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The input's key."""
        return self.row.key

    @classmethod
    def of(cls, row: Row, earlier: Iterable[str] = ()) -> "Outcome":
        """Returns a row with the earlier paths that it makes obsolete; if it failed none, for any copy is better."""
        return cls(row, () if row.status == FAILED else tuple(sorted(set(earlier) - set(row.paths))))

    @classmethod
    def from_json(cls, value: Any) -> "Outcome":
        """Returns the outcome that a note states.

        Raises:
            ValueError: it is none that colorize writes.
        """
        row = Row.from_json(value)
        obsolete = value.get(_OBSOLETE, [])
        if not schema.is_texts(obsolete):
            raise ValueError(f"{_OBSOLETE} is {str(obsolete)[:40]!r}, expected a list of texts")
        for path in obsolete:
            _check_path(row.key, path)
        return cls(row, tuple(obsolete))

    def to_json(self) -> dict[str, Any]:
        """Returns the fields of a note."""
        more = {} if self.row.status == FAILED else {_OBSOLETE: self.obsolete}
        return {**self.row.to_json(), **more}


@dataclasses.dataclass(frozen=True)
class Begun:
    """A note of the write-ahead log: a run began to write the copy of an input."""

    key: str
    date: str
    source_sha256: str
    model_digest: str
    settings_digest: str

    @classmethod
    def of(cls, row: Row) -> "Begun":
        """Returns the note that the copy of a row is about to be written."""
        return cls(row.key, row.date, *row.made_with)

    @classmethod
    def from_json(cls, value: Any) -> "Begun":
        """Returns the note.

        Raises:
            ValueError: it is none that colorize writes.
        """
        begun = cls(**schema.checked(cls, value))
        _check_date(begun.date)
        return begun

    def to_json(self) -> dict[str, Any]:
        """Returns the fields of a note."""
        return {"status": _BEGUN, **dataclasses.asdict(self)}

    @property
    def made_with(self) -> MadeWith:
        """The digests that decide the bytes of the copy."""
        return MadeWith(self.source_sha256, self.model_digest, self.settings_digest)


Note = Outcome | Begun


def note_from_json(value: Any) -> Note:
    """Returns a note of the write-ahead log.

    Raises:
        ValueError: it is none that colorize writes.
    """
    is_begun = isinstance(value, dict) and value.get("status") == _BEGUN
    return Begun.from_json(value) if is_begun else Outcome.from_json(value)


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run: a line of runs.jsonl. Times are UTC, as 2026-01-31T12:00:00Z."""

    run: int
    started: str
    finished: str
    version: str
    model_name: str
    model_digest: str
    settings_digest: str
    listed: int
    done: int
    skipped: int
    failed: int
    new: int = 0  # these five as in serving.manifest.changes; 0 in runs of older versions
    changed: int = 0
    kept: int = 0
    delisted: int = 0
    newly_failed: int = 0

    @classmethod
    def from_json(cls, value: Any) -> "Run":
        """Returns the run that a line states.

        Raises:
            ValueError: it is none that colorize writes.
        """
        run = cls(**schema.checked(cls, value))
        _ = run.seconds
        return run

    def to_json(self) -> dict[str, Any]:
        """Returns the fields of a line."""
        return dataclasses.asdict(self)

    @property
    def seconds(self) -> int:
        """How long it took, in whole seconds as its two times are."""
        started, finished = (datetime.datetime.strptime(time, _TIME) for time in (self.started, self.finished))
        return int((finished - started).total_seconds())


@dataclasses.dataclass(frozen=True)
class Summary:
    """The totals of the rows: summary.json.

    Attributes:
        listed: listed inputs, each with a row.
        done, skipped, failed: rows of each status.
        gone: delisted inputs whose copies are kept.
        reasons: `status:reason` -> rows.
    """

    listed: int
    done: int
    skipped: int
    failed: int
    gone: int = 0
    reasons: dict[str, int] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, listed: int, reasons: dict[str, int], gone: int = 0) -> "Summary":
        """Adds up the totals of each status."""
        status = {
            name: sum(count for reason, count in reasons.items() if reason.startswith(f"{name}:"))
            for name in (DONE, SKIPPED, FAILED)
        }
        return cls(listed=listed, gone=gone, reasons=dict(sorted(reasons.items())), **status)

    @classmethod
    def from_json(cls, value: Any) -> "Summary":
        """Returns the totals that summary.json states.

        Raises:
            ValueError: they are none that colorize writes.
        """
        return cls(**schema.checked(cls, value))

    def to_json(self) -> dict[str, Any]:
        """Returns the fields of summary.json."""
        return dataclasses.asdict(self)

    def totals(self) -> dict[str, int]:
        """Returns `listed`, `done`, `skipped` and `failed`."""
        return {"listed": self.listed, DONE: self.done, SKIPPED: self.skipped, FAILED: self.failed}

    def lines(self, output: str) -> Iterator[str]:
        """Yields the totals as text: a line for all, a line for each reason."""
        yield f"{output}: {self.listed} inputs: {self.done} done, {self.skipped} skipped, {self.failed} failed"
        for reason, count in self.reasons.items():
            status, _, code = reason.partition(":")
            if code:
                yield f"  {printable(status)[:40]:8} {count:>8}  {printable(code)[:40]}"
        if self.gone:
            yield f"  {'gone':8} {self.gone:>8}  no longer in the input; their copies are kept"


def timestamp(moment: datetime.datetime) -> str:
    """Returns a time as runs.jsonl states it."""
    return moment.astimezone(datetime.UTC).strftime(_TIME)


def _check_path(key: str, path: str) -> None:
    if not layout.is_copy_path(path):
        raise ValueError(
            f"{printable(path)[:300]}: expected a path below images/, in the row of {printable(key)[:300]}"
        )


def _check_date(date: str) -> None:
    if not _DATE.fullmatch(date):
        raise ValueError(f"date is {date[:40]!r}, expected a day or a time")
