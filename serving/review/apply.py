"""Applies decisions to the manifest of a finished run, before the next one: sets rejected copies aside, marks accepted.

A rejected copy moves from images/ to rejected/, with its sidecars: it is copied, its row is written, the original is
deleted. So a kill at any moment leaves a file that a row names; applying the decisions again deletes the rest. A row
whose copy moved is of the run that follows (`run=0`); an accepted one stays of the run that made the copy.
"""

import dataclasses
from collections.abc import Iterator

from photochrom import errors
from photochrom.storage import files, json_lines
from photochrom.storage.names import printable
from serving.manifest import digests, layout, reader
from serving.manifest.layout import OutputPaths
from serving.manifest.rows import ACCEPTED, DONE, REDONE, REJECTED, SKIPPED, Row
from serving.review import decisions
from serving.review.decisions import ACCEPT, CONFLICT, REJECT, STALE, Decisions

STAGE = "review"
_EXAMPLES = 3
_MOST_CHARACTERS = 1000  # of a reason


@dataclasses.dataclass
class Applied:
    """The effect of a file of decisions.

    Attributes:
        accepted, rejected: rows of such a decision.
        ignored: reason -> keys of rows on which a decision has no effect.
    """

    accepted: int = 0
    rejected: int = 0
    ignored: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def ignore(self, row: Row, why: str) -> Row:
        """Counts a decision without effect, and returns the row unchanged."""
        self.ignored.setdefault(why, []).append(row.key)
        return row

    def lines(self, output: str) -> Iterator[str]:
        """Yields the effect as text."""
        yield f"decisions: {self.accepted} accepted, {self.rejected} rejected and set aside in {output}/rejected"
        for why, keys in sorted(self.ignored.items()):
            examples = ", ".join(printable(key)[:200] for key in keys[:_EXAMPLES])
            yield f"  {len(keys)} without effect, {why}: {examples}{', ...' if len(keys) > _EXAMPLES else ''}"


def apply(output: str, found: Decisions) -> Applied:
    """Marks the rows of a finished run, and moves their copies.

    Raises:
        UsageError: the last run did not finish: its log may name the same copies.
    """
    paths, applied = OutputPaths(output), Applied()
    if files.is_folder(paths.pending):
        raise errors.UsageError(
            f"--decisions: the last run in {output} did not finish; repeat its command without --decisions first"
        )
    for name in paths.row_files(layout.ITEMS):
        rows = list(reader.read_file(output, name))
        judged = [_judge(output, row, found, applied) for row in rows]
        if judged != rows:
            files.write_bytes(paths.at(layout.row_file(name)), json_lines.encode(row.to_json() for row in judged))
        files.delete_within(output, _places_left(judged))
    return applied


def _judge(output: str, row: Row, found: Decisions, applied: Applied) -> Row:
    verdict = found.verdict(row.key, row.output_sha256) if row.output else decisions.UNDECIDED
    if verdict == ACCEPT:
        applied.accepted += 1
        return _accepted(output, row, applied)
    if verdict == REJECT:
        return _rejected(output, row, found.reason(row.key), applied)
    if verdict == CONFLICT:
        return applied.ignore(row, "reviewers differ")
    if verdict == STALE and row.decision != REDONE:
        return applied.ignore(row, "about another version of the copy (stale)")
    return row


def _accepted(output: str, row: Row, applied: Applied) -> Row:
    if row.decision != REJECTED:
        return dataclasses.replace(row, decision=ACCEPTED)
    moved = _moved(row, layout.REJECTED, layout.IMAGES)
    back = dataclasses.replace(moved, status=DONE, reason="", stage="", message="", decision=ACCEPTED, run=0)
    return _place(output, row, back, applied)


def _rejected(output: str, row: Row, reason: str, applied: Applied) -> Row:
    if row.decision != REJECTED and row.reason:
        return applied.ignore(row, "the copy is the scan itself, not coloured")
    applied.rejected += 1
    message = printable(reason)[:_MOST_CHARACTERS] or "a reviewer rejected the copy"
    if row.decision == REJECTED:
        return dataclasses.replace(row, message=message)
    moved = _moved(row, layout.IMAGES, layout.REJECTED)
    aside = dataclasses.replace(
        moved, status=SKIPPED, reason=REJECTED, stage=STAGE, message=message, decision=REJECTED, run=0
    )
    return _place(output, row, aside, applied)


def _moved(row: Row, before: str, after: str) -> Row:
    def move(path: str) -> str:
        return f"{after}/{path.removeprefix(f'{before}/')}"

    sidecars = {move(path): sha256 for path, sha256 in row.sidecars.items()}
    return dataclasses.replace(row, output=move(row.output), sidecars=sidecars)


def _place(output: str, row: Row, moved: Row, applied: Applied) -> Row:
    """Copies a row's files to their new places, if they are those that were judged."""
    paths = OutputPaths(output)
    if not all(digests.is_whole(output, *one) for one in row.files):
        return applied.ignore(row, "the copy is missing or was changed")
    for (source, _), (target, _) in zip(row.files, moved.files, strict=True):
        files.copy(paths.at(source), paths.at(target))
    return moved


def _places_left(rows: list[Row]) -> list[str]:
    """Returns the places below images/ of copies that were set aside, and those below rejected/ of accepted ones."""
    aside = (_moved(row, layout.REJECTED, layout.IMAGES) for row in rows if row.decision == REJECTED)
    back = (_moved(row, layout.IMAGES, layout.REJECTED) for row in rows if row.decision == ACCEPTED)
    return [path for row in (*aside, *back) for path in row.paths]
