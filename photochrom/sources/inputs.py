"""The values of `--input`: a folder, a glob, a zip, a tar, a single picture or a manifest; and the files of each."""

import dataclasses
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from photochrom import errors
from photochrom.sources import archive_listing, foreign, keys, manifests, read_errors, tar_listing
from photochrom.sources.source import Source
from photochrom.storage import files, local_listing, patterns

_FOLDER, _GLOB, _FILE, _MANIFEST = "folder", "glob", "file", "manifest"
# Members of one archive that a manifest names are looked up together, at most so many.
_MEMBERS_AT_ONCE = 100_000


@dataclasses.dataclass(frozen=True)
class Input:
    """One checked --input.

    Attributes:
        kind: folder, glob, file or manifest.
        path: as given, without a slash at its end; in a glob, a folder whose name has wildcards is escaped.
        base: the folder from which keys are counted, with a slash at its end, or "".
        output: the local folder to which no link is followed, or "".
    """

    kind: str
    path: str
    base: str
    output: str = ""


@dataclasses.dataclass(frozen=True)
class Listed:
    """A loose file, or an archive, with the `wanted` members if a manifest names some; else all count."""

    source: Source
    wanted: tuple[str, ...] = ()


def parse(texts: Iterable[str]) -> list[Input]:
    """Checks the values of --input.

    Raises:
        UsageError: one is missing, is no file or matches nothing, or two would give the same keys to different files.
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
        base = _literal_folder(path)
        one = Input(_GLOB, patterns.escape(base) + path.removeprefix(base), base)
    else:
        kind = _FOLDER if files.is_folder(path) else _MANIFEST if path.lower().endswith(manifests.SUFFIXES) else _FILE
        one = Input(kind, path, path[: path.rfind("/") + 1])
    if one.kind in (_FILE, _MANIFEST) and not files.exists(path):
        raise errors.UsageError(f"--input {text} does not exist; expected a folder, a glob, a zip, a tar or a manifest")
    if one.kind in (_FILE, _MANIFEST) and files.is_local(path) and not os.path.isfile(path):
        raise errors.UsageError(f"--input {text} is a pipe, a socket or a device; expected a regular file or a folder")
    if one.kind == _MANIFEST:
        manifests.check(path)
    if one.kind in (_FOLDER, _GLOB) and not any(True for _ in list_files(one)):
        raise errors.UsageError(
            f"--input {text} matches no file; check the path (quote a pattern, so that the shell leaves it)"
        )
    return one


def _literal_folder(pattern: str) -> str:
    """Returns the longest folder at the start of a pattern that has no wildcard, or exists by that very name."""
    parts = pattern.split("/")
    for count in range(len(parts) - 1, 0, -1):
        folder = "/".join(parts[:count])
        if not patterns.is_pattern(folder) or files.exists(folder):
            return f"{folder}/"
    return ""


def list_files(one: Input) -> Iterator[Listed]:
    """Yields the loose files and archives of an input, in a stable order; archives are not opened."""
    if one.kind == _MANIFEST:
        yield from _list_manifest(one)
        return
    infos = (
        files.list_input(one.path, one.output) if one.kind == _FOLDER
        else files.list_glob(one.path, one.output) if one.kind == _GLOB
        else iter([files.stat(one.path)])
    )  # fmt: skip
    for info in infos:
        yield Listed(_source(one, info))


def _source(one: Input, info: files.FileInfo) -> Source:
    key = keys.of_path(info.path.removeprefix(one.base))
    below = info.path.removeprefix(files.join(one.path, "") if one.kind == _FOLDER else one.base)
    # A pattern or a path of a single file states itself whether hidden files are meant.
    error: errors.DataError | None = None
    if info.problem:
        error = read_errors.explained(info.problem)
    elif one.kind != _FILE:
        error = foreign.ignored(below, dots=one.kind == _FOLDER)
    return (
        Source.failed(key, info.path, error) if error else Source(key, info.path, size=info.size, version=info.version)
    )


def _list_manifest(one: Input) -> Iterator[Listed]:
    own_key = keys.of_path(one.path.removeprefix(one.base))
    for row, group in itertools.groupby(manifests.read(one.path), key=_group):
        if isinstance(row, manifests.Row):
            text = f"{own_key}, line {row.line}: {row.problem}"
            error = errors.ReadError(text, "bad_row", "list")
            yield Listed(Source.failed(keys.of_line(own_key, row.line), one.path, error))
            continue
        full = row if not files.is_local(row) or os.path.isabs(row) else one.base + row
        if files.is_local(full):  # `./a` and `a` are one place; `..` stays, which may lead through a link
            full = keys.normalized(full)
        source = Source(keys.of_path(_manifest_path(row, full)), full)
        found = (keys.split_member(row.source)[1] for row in group)
        while members := tuple(dict.fromkeys(itertools.islice(found, _MEMBERS_AT_ONCE))):
            if "" in members:
                yield Listed(source)
            if named := tuple(filter(None, members)):
                yield Listed(source, named)


def _group(row: manifests.Row) -> str | manifests.Row:
    """Returns the file that a row names, by which neighbours are looked up together, or a row that names none."""
    return row if row.problem else keys.split_member(row.source)[0]


def _manifest_path(path: str, full: str) -> str:
    """Returns the path for a row's key: a relative one as it stands, another without scheme and leading slashes."""
    if not files.is_local(full):
        return full.partition("://")[2]
    relative = os.path.normpath(path)
    return os.path.normpath(full).lstrip("/") if os.path.isabs(path) or relative.startswith("..") else relative


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
    if archive.failure or is_excluded(archive.key):
        yield archive
    elif archive_listing.is_archive(archive.path):
        members = _members(archive, spool_folder, is_excluded)
        yield from (
            _named(archive, listed.wanted, members)
            if listed.wanted
            else (_checked(archive, source) for source in members)
        )
    else:
        unread = foreign.unread_archive(archive.path)
        yield Source.failed(archive.key, archive.path, unread) if unread else archive


def _named(archive: Source, wanted: Iterable[str], members: Iterator[Source]) -> Iterator[Source]:
    """Yields the members that a manifest names, and failed sources for those that are not found."""
    left = {keys.of_member(archive.key, keys.normalized(name)) for name in wanted}
    error: errors.DataError = errors.ReadError("the archive holds no such member", "not_found")
    for source in members:
        if source.key in left:
            left.discard(source.key)
            yield _checked(archive, source, is_named=True)
        elif source.key == archive.key and source.failure:  # it ends here
            error = source.failure.to_error()
    for key in sorted(left):
        yield Source.failed(key, archive.path, error)


def _checked(archive: Source, source: Source, is_named: bool = False) -> Source:
    """Returns a member, or a failed source for one that is left alone or is an archive itself."""
    if source.key == archive.key:
        return source
    name = source.key.removeprefix(f"{archive.key}{keys.SEPARATOR}")
    error: errors.DataError | None = None if is_named else foreign.ignored(name)
    if not (error or source.failure) and (archive_listing.is_archive(name) or foreign.unread_archive(name)):
        error = foreign.nested_archive()
    return Source.failed(source.key, archive.path, error) if error else source


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
        yield Source.failed(archive.key, archive.path, read_errors.explained(error))


def inside(path: str, folder: str) -> bool:
    """Whether a path is in a folder, or is it."""
    if files.is_local(path) and files.is_local(folder):
        return local_listing.holds(folder, path)
    return f"{path}/".startswith(folder.rstrip("/") + "/")


def check_output_apart(inputs: Iterable[Input], output: str) -> list[Input]:
    """Returns the inputs, in which no link to the output folder will be followed.

    Raises:
        UsageError: the output is inside an input folder, or the reverse, so that a later listing would find its files.
    """
    found = list(inputs)
    for one in found:
        folder = {_FOLDER: one.path, _GLOB: one.base if "**" in one.path else ""}.get(one.kind, "")
        if folder and inside(output, folder):
            raise errors.UsageError(f"--output {output} is inside --input {one.path}; choose a folder beside it")
        if one.kind != _MANIFEST and inside(one.path, output):
            raise errors.UsageError(f"--input {one.path} is inside --output {output}; choose another output folder")
    return [dataclasses.replace(one, output=output if files.is_local(output) else "") for one in found]
