"""Lists the members of a zip from its central directory."""

import zipfile
from collections.abc import Iterator
from typing import IO, Any

from photochrom.sources.member_checks import Names, Runs, screened
from photochrom.sources.source import Source

# The most bytes between the start of a member and its content: its header, its name and its extra field.
ZIP_HEADER_BYTES = 30 + 2 * 0xFFFF


def list_zip(file: IO[bytes], path: str, key: str) -> Iterator[Source]:
    """Yields a source for each member.

    Raises:
        Exception: one of ARCHIVE_ERRORS; the archive is broken.
    """
    names = Names(key)
    with zipfile.ZipFile(file) as archive:
        places = _places(archive)
        for info in archive.infolist():
            if not info.is_dir():
                # zipfile cuts a name at its NUL; such a name is refused, not repaired.
                name = info.orig_filename if "\0" in info.orig_filename else info.filename
                where = {"member": name, "version": f"crc32:{info.CRC:08x}", **places[info.header_offset]}
                yield screened(names, path, name, info.file_size, **where)


def _places(archive: zipfile.ZipFile) -> dict[int, dict[str, Any]]:
    """Returns the place of each member of a zip, by offset: none overlaps the next one, as in zip bombs."""
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    starts = [info.header_offset for info in infos]
    places: dict[int, dict[str, Any]] = {}
    runs = Runs()
    for info, start, following in zip(infos, starts, [*starts[1:], archive.start_dir], strict=True):
        extent = min(following - start, ZIP_HEADER_BYTES + info.compress_size)
        run = runs.next(start, max(extent, info.file_size))
        places.setdefault(start, {"offset": start, "extent": extent, "run": run})
    return places
