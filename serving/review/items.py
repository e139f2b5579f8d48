"""The data files of a review page: some thousand rows each, as columns, in an order that follows from the rows.

Pictures are ordered by confidence, the least confident first, so that the page can show the first of them before the
other files are loaded. A data file is a script that calls `photochrom.add` with one JSON object: pages opened from
disk may load scripts, but not read files.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from photochrom.sources import keys
from serving.manifest.rows import DONE, Row
from serving.review.layout import DATA, ReviewPaths, Thumbnail

PICTURES, OTHERS = "pictures", "others"
_ROWS_PER_FILE = 2_000
_STEPS = 1000  # of the confidence
# Columns of few different values, which a file has once: column -> field of Row.
_CODED = ("status", "reason", "stage", "kind", "format", "notes", "message", "decision")
_MAX_MESSAGE = 1000


@dataclasses.dataclass(frozen=True)
class Item:
    """A row on the page.

    Attributes:
        row: the row.
        thumbnail: that of its copy, or None.
        problem: why a picture has no thumbnail.
    """

    row: Row
    thumbnail: Thumbnail | None = None
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class DataFile:
    """A data file that was written.

    Attributes:
        part: PICTURES or OTHERS.
        number: its place in the part.
        name: of the file, below data/.
        count: of its rows.
    """

    part: str
    number: int
    name: str
    count: int


class Order:
    """Assigns rows to the files of their part.

    The number of pictures at each step of confidence is known, and the digest of the key is uniform: so each row finds
    its file from itself alone, and the files are of about one size.
    """

    def __init__(self) -> None:
        self._counts = [0] * (_STEPS + 1)
        self.others = 0

    def add(self, row: Row) -> None:
        """Counts a row."""
        if is_picture(row):
            self._counts[confidence(row)] += 1
        else:
            self.others += 1

    @property
    def pictures(self) -> int:
        """Number of pictures."""
        return sum(self._counts)

    def place(self, row: Row) -> tuple[str, int]:
        """Returns the part of a row, and the number of its file."""
        if not is_picture(row):
            return OTHERS, int(keys.fraction(row.key) * -(-self.others // _ROWS_PER_FILE))
        step = confidence(row)
        position = sum(self._counts[:step]) + keys.fraction(row.key) * self._counts[step]
        return PICTURES, int(position / _ROWS_PER_FILE)


def is_picture(row: Row) -> bool:
    """Whether a row has a copy to look at."""
    return row.status == DONE and bool(row.output)


def confidence(row: Row) -> int:
    """Returns the confidence in thousandths; rows are untrusted, so it is bounded."""
    return min(max(round(row.confidence * _STEPS), 0), _STEPS) if row.confidence == row.confidence else 0


def write(element: tuple[tuple[str, int], Iterable[Item]], output: str) -> DataFile:
    """Writes the data file of some items. A Beam step."""
    (part, number), found = element
    items = sorted(found, key=lambda item: (confidence(item.row), item.row.key))
    data = f"photochrom.add({_json({'part': part, 'number': number, **columns(items)})});\n".encode()
    name = f"{part}-{number:05d}-{hashlib.sha256(data).hexdigest()[:12]}.js"
    ReviewPaths(output).write(f"{DATA}/{name}", data)
    return DataFile(part, number, name, len(items))


def columns(items: list[Item]) -> dict[str, Any]:
    """Returns the columns of some items; docs/review.md has them."""
    rows = [item.row for item in items]
    folders, names = zip(*(_split(row.key) for row in rows), strict=True)
    coded = {
        "folder": folders,
        "problem": [item.problem[:_MAX_MESSAGE] for item in items],
        **{name: [_short(getattr(row, name)) for row in rows] for name in _CODED},
    }
    return {
        "name": list(names),
        "output": ["" if row.output == f"images/{row.key}" else row.output for row in rows],
        "sha256": [row.output_sha256 for row in rows],
        "confidence": [confidence(row) for row in rows],
        "chroma": [item.thumbnail.chroma if item.thumbnail else -1 for item in items],
        "view": [int(item.thumbnail.has_view) if item.thumbnail else 0 for item in items],
        **{name: [getattr(row, name) for row in rows] for name in ("height", "width", "run")},
        **{name: _encode(values) for name, values in coded.items()},
    }


def _split(key: str) -> tuple[str, str]:
    folder, slash, name = key.rpartition("/")
    return folder + slash, name


def _short(value: str | tuple[str, ...]) -> str | list[str]:
    return value[:_MAX_MESSAGE] if isinstance(value, str) else [note[:_MAX_MESSAGE] for note in value[:20]]


def _encode(column: Iterable[Any]) -> dict[str, list[Any]]:
    """Returns the different values of a column, and the place of each row's value among them."""
    texts = [_json(value) for value in column]
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    return {"values": [json.loads(text) for text in places], "codes": [places[text] for text in texts]}


def _json(value: Any) -> str:
    """Returns JSON of ASCII characters, which is a JavaScript expression as well."""
    return json.dumps(value, separators=(",", ":"))
