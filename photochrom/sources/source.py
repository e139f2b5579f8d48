"""One input of a job: its key, and the place of its bytes."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from photochrom import errors
from photochrom.storage.names import printable


@dataclasses.dataclass(frozen=True, order=True)
class Source:
    """The place of one input.

    Attributes:
        key: its stable name.
        path: the file that holds it.
        member: its name in a zip; "" for a loose file and for a member of a tar.
        offset: its start in `path`, bytes; in a zip, of its header. -1 for a loose file.
        size: bytes, -1 if unknown before it is read.
        page: its page, counted from 0.
        page_count: number of pages that are inputs of their own; 1 where only the first counts.
        version: from the listing, changes with the content: CRC-32, modification time, generation.
        failure: set where the listing already finds that it cannot be read.
        origin: the file that people know, where `path` is one that the job has unpacked; else "".
        extent: bytes that it takes in a zip, from `offset` on; -1 elsewhere.
        run: offset of the first of the neighbours that are best read together; -1 for a loose file.
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
        """End of a member of an archive in `path`."""
        return self.offset + (self.extent if self.extent >= 0 else self.size)

    @classmethod
    def failed(cls, key: str, path: str, error: errors.DataError) -> "Source":
        """Returns the source of an input that the listing finds unreadable."""
        return cls(key, path, failure=errors.Failure(key, "list", error.reason, str(error)))


def place(source: Source) -> tuple[str, int, int]:
    """Returns the place of a source, to sort by: file, offset, page."""
    return source.path, source.offset, source.page


def only_one(sources: Iterable[Source]) -> Source:
    """Returns the one source that inputs list under a key; a failed one if they list it at several places."""
    first, *others = sorted(sources)
    places = set(map(place, (first, *others)))
    if len(places) == 1:
        return first
    named = ", ".join(printable(path) for path in sorted({path for path, *_ in places})[:3])
    message = f"{len(places)} inputs have this key, in {named}; give the folder that holds them all as --input"
    return Source.failed(first.key, first.path, errors.DataError(message, "duplicate_key", "list"))
