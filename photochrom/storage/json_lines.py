"""Rows as JSON lines: the same rows give the same bytes; reading is bounded."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from photochrom.storage import files

# Far above any row that a job writes; a file without line breaks is not read into memory whole.
MAX_LINE_BYTES = 16 << 20


def encode(rows: Iterable[dict[str, Any]]) -> bytes:
    """Returns rows as JSON lines, keys sorted, so that the same rows give the same bytes."""
    return b"".join(json.dumps(row, sort_keys=True, ensure_ascii=False).encode() + b"\n" for row in rows)


def read(path: str) -> Iterator[dict[str, Any]]:
    """Yields the rows of a file of JSON lines.

    Raises:
        OSError: it cannot be read.
        ValueError: a line is no JSON in UTF-8, is nested too deep, or is longer than MAX_LINE_BYTES.
    """
    with files.open_read(path) as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES:
                raise ValueError(f"a line is longer than {MAX_LINE_BYTES} bytes")
            try:
                yield json.loads(line)
            except RecursionError as error:
                raise ValueError("a line is nested too deep") from error
            except UnicodeDecodeError as error:
                raise ValueError("a line is no UTF-8") from error
