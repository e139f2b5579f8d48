"""The values of `--input`: a folder, a glob, a zip, a tar, a single picture or a manifest; and the files of each."""

import csv
import dataclasses
import io
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from photochrom import errors
from photochrom.sources import archive_listing, keys, tar_listing
from photochrom.sources.source import Source
from photochrom.storage import files
from photochrom.storage.names import printable

MANIFEST_SUFFIXES = (".txt", ".csv", ".jsonl")
_FOLDER, _GLOB, _FILE, _MANIFEST = "folder", "glob", "file", "manifest"


@dataclasses.dataclass(frozen=True)
class Input:
    """One checked --input.

    Attributes:
        kind: folder, glob, file or manifest.
        path: as given, without a slash at its end.
        base: the folder from which keys are counted, with a slash at its end, or "".
    """

    kind: str
    path: str
    base: str


@dataclasses.dataclass(frozen=True)
class Listed:
    """A loose file, or an archive, with the `wanted` members if a manifest names some; else all count."""

    source: Source
    wanted: tuple[str, ...] = ()


def parse(texts: Iterable[str]) -> list[Input]:
    """Checks the values of --input.

    Raises:
        UsageError: one is missing or matches nothing, or two would give the same keys to different files.
    """
    parsed = [_parse(text) for text in dict.fromkeys(texts)]
    bases: dict[str, Input] = {}
    for one in parsed:
        other = bases.setdefault(_first_key(one), one)
        if other.base != one.base:
            raise errors.UsageError(
                f"--input {other.path} and --input {one.path} would both have keys that begin with "
                f"{_first_key(one)!r}; rename one or give the folder that holds both"
            )
    return parsed


def _first_key(one: Input) -> str:
    return one.path if one.kind in (_GLOB, _MANIFEST) else one.path.removeprefix(one.base)


def _parse(text: str) -> Input:
    path = files.absolute(text.rstrip("/") or "/")
    if files.is_glob(path):
        fixed = path[: min(i for i in (path.find(c) for c in "*?[") if i >= 0)]
        one = Input(_GLOB, path, fixed[: fixed.rfind("/") + 1])
    else:
        kind = _FOLDER if files.is_folder(path) else _MANIFEST if path.lower().endswith(MANIFEST_SUFFIXES) else _FILE
        one = Input(kind, path, path[: path.rfind("/") + 1])
    if one.kind in (_FILE, _MANIFEST) and not files.exists(path):
        raise errors.UsageError(f"--input {text} does not exist; expected a folder, a glob, a zip, a tar or a manifest")
    if one.kind in (_FOLDER, _GLOB) and not any(True for _ in list_files(one)):
        raise errors.UsageError(
            f"--input {text} matches no file; check the path (quote a pattern, so that the shell leaves it)"
        )
    return one


def list_files(one: Input) -> Iterator[Listed]:
    """Yields the loose files and archives of an input, in a stable order; archives are not opened."""
    if one.kind == _MANIFEST:
        yield from _list_manifest(one)
        return
    infos = {_FOLDER: files.list_folder, _GLOB: files.list_glob, _FILE: lambda path: iter([files.stat(path)])}[
        one.kind
    ](one.path)
    for info in infos:
        key = printable(info.path.removeprefix(one.base))
        yield Listed(Source(key, info.path, size=info.size, version=info.version))


def _list_manifest(one: Input) -> Iterator[Listed]:
    rows = (row.strip() for row in _manifest_rows(one.path))
    split = (keys.split_member(row) for row in rows if row)
    for path, group in itertools.groupby(split, key=lambda parts: parts[0]):
        members = tuple(dict.fromkeys(member for _, member in group))
        full = path if not files.is_local(path) or os.path.isabs(path) else one.base + path
        key = printable(_manifest_key(path, full))
        yield Listed(Source(key, full), () if "" in members else members)


def _manifest_key(path: str, full: str) -> str:
    """Returns a row's key: a relative path as it stands, another without scheme and leading slashes."""
    if not files.is_local(full):
        return full.partition("://")[2]
    relative = os.path.normpath(path)
    return os.path.normpath(full).lstrip("/") if os.path.isabs(path) or relative.startswith("..") else relative


def _manifest_rows(path: str) -> Iterator[str]:
    """Yields each row's source: the line of a .txt, `source` (or the only column) of a .csv, `source` of a .jsonl."""
    with files.open_read(path) as raw, io.TextIOWrapper(raw, "utf-8-sig", "surrogateescape") as lines:  # type: ignore[type-var]
        try:
            if path.lower().endswith(".txt"):
                yield from lines
            elif path.lower().endswith(".jsonl"):
                yield from (json.loads(line)["source"] for line in lines if line.strip())
            else:
                yield from _csv_rows(csv.reader(lines))
        except (ValueError, KeyError, TypeError, csv.Error) as error:
            raise errors.UsageError(
                f"manifest {path} is broken: {type(error).__name__}: {error}; expected a source in each row"
            ) from error


def _csv_rows(rows: Iterator[list[str]]) -> Iterator[str]:
    header = next(rows, [])
    column = header.index("source") if "source" in header else 0
    if "source" not in header:
        if len(header) > 1:
            raise ValueError(f"columns {header}, none of them is 'source'")
        yield from header
    yield from (row[column] for row in rows if row)


def expand(
    listed: Listed, spool_folder: str, is_excluded: Callable[[str], bool] = lambda key: False
) -> Iterator[Source]:
    """Yields the sources of a listed file: itself, or the members if it is an archive.

    Args:
        listed: from `list_files`.
        spool_folder: for the unpacked members of compressed tars.
        is_excluded: whether a key is on the exclusion list: its source is a failed one, such an archive is not opened.
    """
    for source in _expand(listed, spool_folder, is_excluded):
        if is_excluded(source.key):
            failure = errors.Failure.of(source.key, errors.Excluded("is on the exclusion list"))
            yield dataclasses.replace(source, failure=failure)
        else:
            yield source


def _expand(listed: Listed, spool_folder: str, is_excluded: Callable[[str], bool]) -> Iterator[Source]:
    archive = _looked_up(listed.source)
    wanted = {printable(f"{archive.key}{keys.SEPARATOR}{name}") for name in listed.wanted}
    if archive_listing.is_archive(archive.path) and not is_excluded(archive.key):
        for source in _members(archive, spool_folder, is_excluded):
            if not listed.wanted or source.key in wanted:
                wanted.discard(source.key)
                yield source
    elif not wanted:
        yield archive
    for key in sorted(wanted):
        yield Source.failed(key, archive.path, errors.ReadError("the archive holds no such member", "not_found"))


def _looked_up(source: Source) -> Source:
    """Returns a source from a manifest with the size and version that its folder's listing would have."""
    if source.version or source.failure:
        return source
    try:
        info = files.stat(source.path)
    except OSError:  # reading it raises the error
        return source
    return dataclasses.replace(source, size=info.size, version=info.version)


def _members(archive: Source, spool_folder: str, is_excluded: Callable[[str], bool]) -> Iterator[Source]:
    @contextmanager
    def spool() -> Iterator[tar_listing.Spool]:
        path = files.join(spool_folder, f"{keys.digest(archive.path + archive.version):016x}")
        with files.create(path) as file:
            yield tar_listing.Spool(path, file, tar_listing.spool_limit(archive.size), is_excluded)

    try:
        with files.open_read(archive.path) as file:
            for source in archive_listing.list_members(file, archive.path, archive.key, spool):
                # A zip has a checksum of each member, a tar only a modification time, which may be arbitrary.
                version = source.version if source.member else f"{archive.version} {source.version}"
                yield source if source.failure else dataclasses.replace(source, version=version)
    except OSError as error:
        if archive_listing.is_of_the_output(error):
            raise
        yield Source.failed(archive.key, archive.path, errors.ReadError(f"cannot be read: {error}"))


def inside(path: str, folder: str) -> bool:
    """Whether a path is in a folder, or is it."""
    if files.is_local(path) and files.is_local(folder):
        path, folder = os.path.realpath(path), os.path.realpath(folder)
    return f"{path}/".startswith(folder.rstrip("/") + "/")


def check_output_apart(inputs: Iterable[Input], output: str) -> None:
    """Refuses an output folder in which a later listing of the inputs would find this job's files.

    Raises:
        UsageError: the output is inside an input folder, or the reverse.
    """
    for one in inputs:
        folder = {_FOLDER: one.path, _GLOB: one.base if "**" in one.path else ""}.get(one.kind, "")
        if folder and inside(output, folder):
            raise errors.UsageError(f"--output {output} is inside --input {one.path}; choose a folder beside it")
        if one.kind != _MANIFEST and inside(one.path, output):
            raise errors.UsageError(f"--input {one.path} is inside --output {output}; choose another output folder")
