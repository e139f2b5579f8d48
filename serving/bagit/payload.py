"""The payload of a bag: the manifest of an output folder and the copies that its rows name, compared with the files."""

import dataclasses
import re
import unicodedata
from collections.abc import Iterator

from photochrom import errors
from photochrom.storage import files, json_lines
from photochrom.storage.names import printable
from serving.manifest import digests, layout, reader
from serving.manifest.audit import Audit
from serving.manifest.rows import ACCEPTED, REJECTED, Row, Run, Summary

# bagit-python turns these two into line breaks when it reads a manifest, later versions in either case.
_READ_AS_BREAK = re.compile("%0[ad]", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Payload:
    """The contents of the bag.

    Attributes:
        copies: path below the output folder -> SHA-256 that its row gives, of each copy and each file beside one.
        listings: the manifest's files, paths below the output folder.
        foreign: files in the output folder that no row names, printable; they stay out.
        runs: number -> run.
        summary: the totals.
        accepted_only: whether copies that no reviewer accepted are left out.
    """

    copies: dict[str, str]
    listings: tuple[str, ...]
    foreign: tuple[str, ...]
    runs: dict[int, Run]
    summary: Summary
    accepted_only: bool = False

    @property
    def names(self) -> list[str]:
        """All paths below the output folder, sorted."""
        return sorted([*self.copies, *self.listings])


def collect(folder: str, accepted_only: bool = False) -> Payload:
    """Reads the manifest of a finished run and looks for the files that its rows name; reads no picture.

    Args:
        folder: the output folder.
        accepted_only: whether copies that no reviewer accepted stay out; rejected ones always do.

    Raises:
        UsageError: no run has finished there, or one is under way.
        Disagreement: rows and files do not fit together, or a name cannot stand in a bag.
    """
    account = _read_account(folder)
    copies: dict[str, str] = {}
    alike: dict[str, str] = {}
    named_files: set[str] = set()
    problems = []
    for row in _read_rows(folder, account):
        named_files.update(row.paths)
        for name, sha256 in without_copy(row, accepted_only).files:
            problem = _problem(folder, name, sha256, copies, alike)
            if problem:
                problems.append(f"{printable(name)}: {problem}")
            copies[name] = sha256
            alike[unicodedata.normalize("NFC", name)] = name
    if problems:
        raise Disagreement(problems)
    found = [info.path.removeprefix(f"{folder}/") for info in files.list_folder(folder)]
    listings = tuple(name for name in found if layout.is_listing(name))
    known = {*named_files, *listings}
    foreign = tuple(printable(name) for name in found if name not in known and not layout.is_apart(name))
    return Payload(copies, listings, foreign, account.runs, account.summary, accepted_only)


def without_copy(row: Row, accepted_only: bool) -> Row:
    """Returns a row without its copy, if that stays out of the bag."""
    is_out = row.decision == REJECTED or (accepted_only and row.decision != ACCEPTED)
    return dataclasses.replace(row, output="", output_sha256="", sidecars={}) if is_out else row


class Disagreement(errors.PhotochromError):
    """Rows and files do not fit together; `problems` has a line for each file."""

    def __init__(self, problems: list[str]):
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        super().__init__(f"the manifest and the files do not agree, no bag was made: {problems[0]}{more}")
        self.problems = problems


def read_listing(folder: str, name: str, accepted_only: bool) -> Iterator[Row]:
    """Yields the rows of one file of the manifest that was placed in a bag, without copies that stay out of it."""
    rows = map(Row.from_json, json_lines.read(files.join(folder, name)))
    return (without_copy(row, accepted_only) for row in rows)


def _read_account(folder: str) -> reader.Account:
    """Returns the records of the runs, if the last one finished and all are recorded."""
    if not files.is_local(folder):
        raise errors.UsageError(f"{folder} is not a local folder; bags are made on a disk: copy it there first")
    account = reader.read(folder)
    if account.is_open:
        raise errors.UsageError(f"{folder}: {reader.UNDER_WAY}; {reader.AGAIN}")
    if not account.runs:
        raise errors.UsageError(f"{folder}/manifest/runs.jsonl does not record the times of its runs; {reader.AGAIN}")
    return account


def _read_rows(folder: str, account: reader.Account) -> Iterator[Row]:
    """Yields the rows and checks that they are those of the last run."""
    audit = Audit(account)
    for name, row in audit.watch(reader.read_rows(folder)):
        if row.run not in account.runs:
            raise errors.UsageError(
                f"{folder}/manifest/{name}: the row of {printable(row.key)[:100]} does not belong to a "
                f"finished run; {reader.AGAIN}"
            )
        yield row
    for problem in audit.problems():
        raise errors.UsageError(f"{folder}: {problem}: the last run did not finish; {reader.AGAIN}")


def _problem(folder: str, name: str, sha256: str, copies: dict[str, str], alike: dict[str, str]) -> str:
    """Returns why a file cannot be in a bag, or ""."""
    other = alike.get(unicodedata.normalize("NFC", name), "")
    return (
        ("is named by more than one row" if copies.get(name, sha256) != sha256
            else f"differs from {other} by Unicode's normalization alone, which no bag keeps apart; rename one original"
            if other not in ("", name)
            else "has %0A or %0D in its name, which readers of bags take for a line break; rename the original"
            if _READ_AS_BREAK.search(name)
            else "its name ends with a space, which no bag keeps; rename the original" if name != name.strip()
            else "")
        or digests.problem_of_file(folder, name)
    )  # fmt: skip
