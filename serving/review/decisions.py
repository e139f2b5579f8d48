"""Decisions of reviewers: the file that the review page exports, read and checked, and what it says about a row.

A file is JSON Lines, a decision a line; docs/review.md has the fields. The last decision of each reviewer on a key
counts. Reviewers who differ are a conflict, and a decision about another version of the copy is stale: neither has an
effect.
"""

import collections
import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from photochrom import errors
from photochrom.storage import files, json_lines

ACCEPT, REJECT, LATER = "accept", "reject", "later"
# Verdicts of a file on a row, beside ACCEPT and REJECT.
UNDECIDED, CONFLICT, STALE = "undecided", "conflict", "stale"
_MOST_BYTES = 1 << 30  # a few million decisions
_MOST_CHARACTERS = 4096  # of a field
_SHA256 = re.compile("[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@dataclasses.dataclass(frozen=True)
class Decision:
    """A line of the file.

    Attributes:
        key: the input.
        copy_sha256: digest of the copy that was judged.
        decision: ACCEPT, REJECT or LATER.
        reason, reviewer: text.
        time: UTC, as 2026-01-31T12:00:00Z.
    """

    key: str
    copy_sha256: str
    decision: str
    reason: str
    reviewer: str
    time: str

    @classmethod
    def from_json(cls, value: Any) -> "Decision":
        """Returns the decision that a line states; further fields are dropped.

        Raises:
            ValueError: it is none that the review page exports.
        """
        if not isinstance(value, dict):
            raise ValueError(f"is {str(value)[:40]!r}, expected a JSON object")
        found = cls(**{field.name: _text(value, field.name) for field in dataclasses.fields(cls)})
        for name, is_right, expected in (
            ("key", found.key != "", "the key of an input"),
            ("copy_sha256", _SHA256.fullmatch(found.copy_sha256), "a SHA-256, 64 hex digits"),
            ("decision", found.decision in (ACCEPT, REJECT, LATER), f"{ACCEPT}, {REJECT} or {LATER}"),
            ("time", _TIME.fullmatch(found.time), "a time such as 2026-01-31T12:00:00Z"),
        ):
            if not is_right:
                raise ValueError(f"{name} is {getattr(found, name)[:80]!r}, expected {expected}")
        return found


def _text(value: dict[str, Any], name: str) -> str:
    if name not in value:
        raise ValueError(f"has no {name}")
    text = value[name]
    if not isinstance(text, str):
        raise ValueError(f"{name} is {str(text)[:40]!r}, expected a text")
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"{name} has {len(text)} characters, at most {_MOST_CHARACTERS} are read")
    return text


@dataclasses.dataclass(frozen=True)
class Decisions:
    """The decisions of a file.

    Attributes:
        of_key: key -> the last decision of each reviewer, in order of time.
    """

    of_key: Mapping[str, tuple[Decision, ...]] = dataclasses.field(default_factory=dict)

    def verdict(self, key: str, copy_sha256: str) -> str:
        """Returns what the file says about a copy: ACCEPT, REJECT, UNDECIDED (LATER too), CONFLICT or STALE."""
        found = self.of_key.get(key, ())
        current = [one for one in found if one.copy_sha256 == copy_sha256]
        firm = {one.decision for one in current} - {LATER}
        return (
            CONFLICT if len(firm) > 1
            else firm.pop() if firm
            else STALE if found and not current
            else UNDECIDED
        )  # fmt: skip

    def reason(self, key: str) -> str:
        """Returns the last reason that a reviewer gave, or ""."""
        return next((one.reason for one in reversed(self.of_key.get(key, ())) if one.reason), "")


def read(path: str) -> Decisions:
    """Reads a file of decisions; "" has none.

    Raises:
        UsageError: it cannot be read, or a line is no decision.
    """
    last: dict[tuple[str, str], Decision] = {}
    for decision in _lines(path) if path else ():
        place = decision.key, decision.reviewer
        if place not in last or last[place].time <= decision.time:
            last[place] = decision
    of_key: dict[str, list[Decision]] = collections.defaultdict(list)
    for decision in sorted(last.values(), key=lambda one: (one.time, one.reviewer)):
        of_key[decision.key].append(decision)
    return Decisions({key: tuple(found) for key, found in of_key.items()})


def _lines(path: str) -> Iterator[Decision]:
    number = 0
    try:
        size = files.stat(path).size
        if size > _MOST_BYTES:
            raise errors.UsageError(f"--decisions {path} has {size} bytes, at most {_MOST_BYTES} are read")
        values = json_lines.read(path)
        while True:
            number += 1
            try:
                yield Decision.from_json(next(values))
            except StopIteration:
                return
    except errors.UsageError:
        raise
    except ValueError as error:
        raise errors.UsageError(
            f"--decisions {path}, line {number}: {error}; expected what the review page exports"
        ) from error
    except OSError as error:
        raise errors.UsageError(f"--decisions {path} cannot be read: {error}") from error
