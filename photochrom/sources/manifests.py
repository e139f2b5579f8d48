"""Input manifests: text files that name one source a row, as lines, CSV or JSON lines.

A row that names none is an input that fails, and costs itself alone; a file that is no such text is refused.
"""

import collections
import csv
import dataclasses
import io
import json
import os
import re
from collections.abc import Iterator

from photochrom import errors
from photochrom.storage import files

SUFFIXES = (".txt", ".csv", ".jsonl")
# The column of a CSV, and the field of a JSON line, that names the source.
COLUMN = "source"
_SEPARATORS = ",;\t"
# Separators that are not read; Excel's statement of the separator, before the header.
_OTHER_SEPARATORS = re.compile(r"[|:^~ ]")
_SEPARATOR_LINE = re.compile(r'\s*"?sep=."?[,;\s]*', re.IGNORECASE)
# Characters of a row, lines of a row of a CSV whose quoted cells have line breaks.
_MAX_ROW, _MAX_ROW_LINES = 64 << 10, 100
_SAMPLE_BYTES = 8 << 10
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_BYTE_ORDER_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)  # fmt: skip

_Line = tuple[int, str]


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a manifest.

    Attributes:
        line: its number, from 1.
        source: the path of a file, perhaps with a member.
        problem: why it names no source; "" if it names one.
    """

    line: int
    source: str
    problem: str = ""


def check(path: str) -> None:
    """Refuses a file that is no manifest.

    Raises:
        UsageError: it cannot be read, is no text, or is a CSV of several columns without the one that counts.
    """
    try:
        with files.open_read(path) as file:
            sample = file.read(_SAMPLE_BYTES)
        encoding, handler = _encoding(sample)
        text = sample.decode(encoding, handler)
        if len(_CONTROL.findall(text)) > 8 + len(text) // 20:
            raise errors.UsageError(
                f"manifest {path} is no text; expected one source a row, in UTF-8, or in UTF-16 with a byte order mark"
            )
        if path.lower().endswith(".csv"):
            with _opened(path) as opened:
                _csv_layout(path, next(_csv_lines(_lines(opened)), (1, ""))[1])
    except OSError as error:
        raise errors.UsageError(f"manifest {path} cannot be read: {error}") from error


def read(path: str) -> Iterator[Row]:
    """Yields the rows of a manifest; memory does not grow with their number.

    Raises:
        UsageError: it is a CSV of several columns without the one that counts.
    """
    with _opened(path) as text:
        lines = _not_blank(_lines(text))
        if path.lower().endswith(".csv"):
            rows = _csv_rows(path, _csv_lines(lines))
        elif path.lower().endswith(".jsonl"):
            rows = (_json_row(*line) for line in lines)
        else:
            rows = (Row(number, line.strip()) for number, line in lines)
        for row in rows:
            problem = row.problem or _problem(row.source)
            yield Row(row.line, "", problem) if problem else row


def _opened(path: str) -> io.TextIOWrapper:
    raw = files.open_read(path)
    encoding, handler = _encoding(raw.read(4))
    raw.seek(0)
    return io.TextIOWrapper(raw, encoding, handler)  # type: ignore[type-var]


def _encoding(start: bytes) -> tuple[str, str]:
    """Returns encoding and error handler; bytes of a name that are no UTF-8 name the file with these bytes."""
    found = next((encoding for mark, encoding in _BYTE_ORDER_MARKS if start.startswith(mark)), "")
    return (found, "replace") if found else ("utf-8-sig", "surrogateescape")


def _lines(text: io.TextIOWrapper) -> Iterator[_Line]:
    """Yields number and text of each line; one that is too long is cut after _MAX_ROW + 1 characters."""
    number = 0
    while line := text.readline(_MAX_ROW + 1):
        number += 1
        yield number, line
        while line and not line.endswith("\n"):
            line = text.readline(_MAX_ROW)


def _not_blank(lines: Iterator[_Line]) -> Iterator[_Line]:
    return (line for line in lines if line[1].strip())


def _csv_lines(lines: Iterator[_Line]) -> Iterator[_Line]:
    """Yields lines without blank ones and the statement of a separator in the first one."""
    for first in _not_blank(lines):
        if not _SEPARATOR_LINE.fullmatch(first[1]):
            yield first
        break
    yield from _not_blank(lines)


def _problem(source: str) -> str:
    """Returns why a text cannot name a source; "" if it can."""
    if not source.rpartition("://")[2].strip("/."):
        return "it names no source"
    if len(source) > _MAX_ROW:
        return f"it is longer than {_MAX_ROW} characters"
    if "\0" in source:
        return "the source has a NUL"
    try:
        files.store(source)
        os.fsencode(source) if files.is_local(source) else source.encode()
    except errors.UsageError as error:
        return str(error)
    except UnicodeEncodeError:
        return "the source has a lone surrogate, which no name of a file can have"
    return ""


def _json_row(number: int, line: str) -> Row:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return Row(number, "", "it is no JSON, is nested too deep or is longer than a row may be")
    source = value.get(COLUMN) if isinstance(value, dict) else None
    if not isinstance(source, str):
        return Row(number, "", f"expected an object with the field {COLUMN!r}, a text")
    return Row(number, source if source.strip() else "")


def _csv_layout(path: str, header: str) -> tuple[str, int, bool]:
    """Returns separator and column of the source by the first line, and whether that line is a header.

    Raises:
        UsageError: several columns, and none is the source.
    """
    found = {separator: next(csv.reader([header], delimiter=separator), []) for separator in _SEPARATORS}
    for separator, cells in found.items():
        names = [cell.strip().lower() for cell in cells]
        if COLUMN in names:
            return separator, names.index(COLUMN), True
    columns = max(found.values(), key=len)
    if len(columns) > 1 or _has_other_separator(header):
        raise errors.UsageError(
            f"manifest {path}: columns {str(columns)[:300]}, none of them is {COLUMN!r}; expected a first row that "
            "names it, and a comma, a semicolon or a tab between columns"
        )
    return ",", 0, False


def _has_other_separator(header: str) -> bool:
    """Returns whether a first row, which no path is, names the column among others."""
    names = [name.strip("\"' \r\n").lower() for name in _OTHER_SEPARATORS.split(header.strip())]
    return len(names) > 1 and COLUMN in names and not {".", "/"}.intersection(header)


def _csv_rows(path: str, lines: Iterator[_Line]) -> Iterator[Row]:
    first = next(lines, None)
    if first is None:
        return
    separator, column, has_header = _csv_layout(path, first[1])
    for number, cells in _records(lines if has_header else _with(first, lines), separator):
        if cells is None:
            yield Row(number, "", "its quotes are not closed, or it is longer than a row may be")
        elif column >= len(cells):
            yield Row(number, "", f"it has {len(cells)} columns, {COLUMN!r} is column {column + 1}")
        else:
            yield Row(number, cells[column].strip())


def _with(first: _Line, lines: Iterator[_Line]) -> Iterator[_Line]:
    yield first
    yield from lines


def _records(lines: Iterator[_Line], separator: str) -> Iterator[tuple[int, list[str] | None]]:
    """Yields the first line's number and the cells of each record; None, for that line alone, where no record ends."""
    returned: collections.deque[_Line] = collections.deque()

    def following() -> _Line | None:
        return returned.popleft() if returned else next(lines, None)

    while (first := following()) is not None:
        taken, size = [first], len(first[1])
        cells = _cells([first[1]], separator)
        while cells is None and size <= _MAX_ROW and len(taken) < _MAX_ROW_LINES and (more := following()):
            taken.append(more)
            size += len(more[1])
            cells = _cells([text for _, text in taken], separator)
        if cells is None:
            returned.extendleft(reversed(taken[1:]))
        yield first[0], cells


def _cells(lines: list[str], separator: str) -> list[str] | None:
    """Returns the cells of one record, or None where its quotes are not closed or it is too long."""
    if len(lines[-1]) > _MAX_ROW:
        return None
    try:
        return next(csv.reader(lines, delimiter=separator, strict=True), [])
    except csv.Error as error:
        if "unexpected end" in str(error):
            return None
        return next(csv.reader(lines, delimiter=separator), [])
