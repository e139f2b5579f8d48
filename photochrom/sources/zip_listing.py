"""Lists the members of a zip from its central directory."""

import array
from collections.abc import Iterator
from typing import IO

from photochrom.sources import zip_directory
from photochrom.sources.member_checks import Names, Runs, screened
from photochrom.sources.source import Source
from photochrom.sources.zip_directory import Directory

# The most bytes between the start of a member and its content: its header, its name and its extra field.
ZIP_HEADER_BYTES = 30 + 2 * 0xFFFF


def list_zip(file: IO[bytes], path: str, key: str) -> Iterator[Source]:
    """Yields a source for each member.

    Raises:
        ReadError: the archive is broken.
        TooLarge: its directory is too large.
    """
    names, directory = Names(key), zip_directory.read(file)
    for entry, extent, run in zip(directory.entries(), *_places(directory), strict=True):
        if not entry.is_folder:
            where = {"member": entry.name, "version": f"crc32:{entry.crc:08x}", "offset": entry.offset}
            packed = min(entry.packed, extent)
            yield screened(names, path, entry.name, entry.size, entry.is_plain, packed, extent=extent, run=run, **where)


def _places(directory: Directory) -> tuple[array.array, array.array]:
    """Returns extent and run of each member: none overlaps the next one, as in zip bombs."""
    offsets, packed, sizes = array.array("q"), array.array("q"), array.array("q")
    for entry in directory.entries():
        offsets.append(entry.offset)
        packed.append(entry.packed)
        sizes.append(entry.size)
    order = sorted(range(len(offsets) - 1, -1, -1), key=offsets.__getitem__)  # the first of two at one place gets it
    extents, runs = array.array("q", offsets), array.array("q", offsets)
    division, end = Runs(), directory.start
    for place in reversed(order):
        extents[place] = max(0, min(end - offsets[place], ZIP_HEADER_BYTES + packed[place]))
        end = offsets[place]
    for place in order:
        runs[place] = division.next(offsets[place], max(extents[place], sizes[place]))
    return extents, runs
