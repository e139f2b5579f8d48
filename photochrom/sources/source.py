"""One input of a job: its key, and where its bytes are."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from photochrom import errors
from photochrom.storage.names import printable


@dataclasses.dataclass(frozen=True, order=True)
class Source:
    """Where one input lies.

    Attributes:
        key: its stable name.
        path: the file that holds it.
        member: its name in a zip; "" for a loose file and for a member of a tar.
        offset: where it begins in `path`, bytes; in a zip with a header. -1 for a loose file.
        size: bytes, -1 if not known before it is read.
        page: which page of it, counted from 0.
        page_count: how many pages are inputs of their own; 1 where none but the first counts.
        version: what changes when the content does, as the listing knows it: CRC-32, modification time, generation.
        failure: set where the listing already knows that it cannot be read.
        origin: the file that holds it for people, where `path` is one that the job has unpacked; else "".
        extent: bytes that it takes in a zip, from `offset` on; -1 elsewhere.
        run: where the first of the neighbours begins that are best read together; -1 for a loose file.
    """

    key: str
    path: str
    member: str = ""
    offset: int = -1
    size: int = -1
    version: str = ""
    page: int = 0
    page_count: int = 1
    failure: errors.Failure | None = dataclasses.field(default=None, compare=False)
    origin: str = dataclasses.field(default="", compare=False)
    extent: int = dataclasses.field(default=-1, compare=False)
    run: int = dataclasses.field(default=-1, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled without the names of its fields, a third of it: millions of them cross from step to step."""
        return Source, tuple(getattr(self, field.name) for field in dataclasses.fields(self))

    @property
    def end(self) -> int:
        """Where a member of an archive ends in `path`."""
        return self.offset + (self.extent if self.extent >= 0 else self.size)

    @classmethod
    def failed(cls, key: str, path: str, error: errors.DataError) -> "Source":
        """Returns the source that stands for an input of which the listing already knows that it cannot be read."""
        return cls(key, path, failure=errors.Failure(key, "list", error.reason, str(error)))


def place(source: Source) -> tuple[str, int, int]:
    """Returns where a source lies, to sort by: file, offset, page."""
    return source.path, source.offset, source.page


def only_one(sources: Iterable[Source]) -> Source:
    """Returns the source that several inputs list under one key; as one that failed if it lies at several places."""
    first, *others = sorted(sources)
    places = set(map(place, (first, *others)))
    if len(places) == 1:
        return first
    named = ", ".join(printable(path) for path in sorted({path for path, *_ in places})[:3])
    message = f"{len(places)} inputs have this key, in {named}; give the folder that holds them all as --input"
    return Source.failed(first.key, first.path, errors.DataError(message, "duplicate_key", "list"))
