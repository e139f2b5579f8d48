"""Writes a BagIt bag (RFC 8493) of a finished run with bagit-python: whole, under its name, or not at all."""

import errno
import functools
import os
import pathlib
import shutil
import tempfile
import warnings
from collections.abc import Mapping

import bagit

from photochrom import errors
from photochrom.storage import files
from serving.bagit import payload, premis
from serving.bagit.payload import Payload

# RFC 8493, section 2.4: SHA-512 by default; the rows have SHA-256.
_ALGORITHMS = ["sha256", "sha512"]
_EVENTS = "metadata/premis"


def write(folder: str, found: Payload, bag: str, info: Mapping[str, list[str]], *, link: bool) -> bagit.Bag:
    """Writes the bag beside its name, checks it and renames it.

    Args:
        folder: the output folder of a finished run.
        found: its payload.
        bag: the bag's path, which does not exist.
        info: label -> values, for bag-info.txt.
        link: hard links instead of copies.

    Raises:
        Disagreement: a copy differs from its row.
        UsageError: --link was asked for and the file system has none to give.
        PhotochromError: the bag could not be written, or bagit-python does not read back what it wrote.
    """
    target = pathlib.Path(bag)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=files.TEMPORARY_MARK, dir=target.parent) as scratch:
            staged = pathlib.Path(scratch, "bag")
            _place(folder, found.names, staged, link)
            made = _write(staged, found, info)
            os.rename(staged, target)
    except OSError as error:
        raise errors.PhotochromError(f"{bag} could not be written: {error}") from error
    except bagit.BagError as error:
        raise errors.PhotochromError(f"{bag}: bagit-python refuses what was written: {error}") from error
    made.path = os.path.abspath(target)  # opening it again would read its manifests once more
    return made


def _place(folder: str, names: list[str], staged: pathlib.Path, link: bool) -> None:
    staged.mkdir()
    for name in names:
        target = staged / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not link:
            shutil.copy2(pathlib.Path(folder, name), target)
            continue
        try:
            os.link(os.path.realpath(pathlib.Path(folder, name)), target)
        except OSError as error:
            if error.errno in (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK):
                raise errors.UsageError(
                    f"--link: {name} cannot be linked to {staged.parent.parent}: {error.strerror}; put the bag on the "
                    "same file system, or leave --link out"
                ) from error
            raise


def _write(staged: pathlib.Path, found: Payload, info: Mapping[str, list[str]]) -> bagit.Bag:
    """Makes a bag of the files that were placed: their digests, then the tag files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # bagit-python opens files by codecs.open
        bag = bagit.make_bag(
            str(staged), {label: list(values) for label, values in info.items()}, checksums=_ALGORITHMS
        )
        _compare(bag, found)
        _write_events(staged, bag, found)
        (staged / "bagit.txt").write_text(f"BagIt-Version: {_version(found)}\nTag-File-Character-Encoding: UTF-8\n")
        bag.save()
        _sort_tag_manifests(staged)
        made = bagit.Bag(str(staged))
        made.validate(completeness_only=True)
        return made


def _version(found: Payload) -> str:
    """Returns the version of BagIt whose notation of file names is also that of the validators in use.

    RFC 8493 (1.0) requires a % in a name to be written as %25. bagit-python and others neither write nor read that;
    version 0.97 has names unchanged. So a bag with a % in a name has version 0.97; all others fit both.
    """
    return "0.97" if any("%" in name for name in found.names) else "1.0"


def _compare(bag: bagit.Bag, found: Payload) -> None:
    wrong = []
    for name, expected in found.copies.items():
        actual = bag.entries.get(f"data/{name}", {}).get("sha256", "none")
        if actual != expected:
            wrong.append(f"{name}: has SHA-256 {actual}, its row says {expected}")
    if wrong:
        raise payload.Disagreement(wrong)


def _write_events(staged: pathlib.Path, bag: bagit.Bag, found: Payload) -> None:
    """Writes a PREMIS document for each file of rows, from the rows in the bag."""
    (staged / _EVENTS).parent.mkdir()
    for name in found.listings:
        if "/items-" in name:
            path = f"data/{name}"
            listing = premis.listing_object(path, bag.entries[path]["sha256"])
            suffix = name.rpartition("/items")[2].removesuffix(".jsonl")
            read_rows = functools.partial(payload.read_listing, str(staged), path, found.accepted_only)
            with open(staged / f"{_EVENTS}{suffix}.xml", "wb") as file:
                premis.write(file, listing, read_rows, found.runs)


def _sort_tag_manifests(staged: pathlib.Path) -> None:
    """Sorts by file name: bagit-python lists in the order of the disk, and the same bag must have the same bytes."""
    for path in staged.glob("tagmanifest-*.txt"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(sorted(lines, key=lambda line: line.split(maxsplit=1)[1])), encoding="utf-8")
