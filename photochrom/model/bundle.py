"""A model bundle: the folder that transfers a colorizer from training to serving, or a pretrained network to prepare.

    BUNDLE/
      saved_model/     TensorFlow SavedModel with the signature of photochrom.model.signature
      model.json       kind, name, version, digest, settings, data digest, metrics, licences
      MODEL_CARD.md    the same for human readers, of a colorizer

Reading one needs no TensorFlow; the description, the digest and the graph are checked before anything is loaded. Each
machine that needs a bundle from a bucket copies it once, below the system's folder for temporary files.

The digest covers the SavedModel and the description: a bundle with that digest is unchanged. It does not prove who made
the bundle, nor that it is harmless: a digest of changed files is computed as easily.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import threading
import uuid
from typing import Any

from photochrom import errors, settings
from photochrom.model import description, graph_check
from photochrom.model.description import COLORIZER, FEATURES
from photochrom.storage import files, local_cache

# The path that opens the bundle that comes with the project.
DEFAULT = "default"
_DEFAULT_FOLDER = pathlib.Path(__file__).parent / "default"
# The commands that write each kind.
_WRITTEN_BY = {COLORIZER: "`photochrom train` wrote (MODEL_DIR/bundle)", FEATURES: "`photochrom features` wrote"}
_SAVED_MODEL = "saved_model"
# TensorFlow writes a random number into it, and loads a SavedModel without it.
_FINGERPRINT = "fingerprint.pb"
_staging = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A bundle whose description, digest and graph were checked.

    Attributes:
        path: its folder, or this machine's copy of it.
        info: the content of model.json, see photochrom.model.description.
        origin: `default`, its folder in a bucket, or "".
    """

    path: pathlib.Path
    info: dict[str, Any]
    origin: str = ""

    @property
    def saved_model(self) -> str:
        """The SavedModel's folder on this machine, which may be a worker; the default bundle is in its package.

        A bundle in a bucket is copied first, unless this machine has its copy already.

        Raises:
            UsageError: the bundle in the bucket has another digest by now.
        """
        folder = (
            _DEFAULT_FOLDER if self.origin == DEFAULT
            else _stage(self.origin, self.info) if self.origin
            else self.path
        )  # fmt: skip
        return str(folder / _SAVED_MODEL)

    @property
    def digest(self) -> str:
        """The digest over the SavedModel's files and the description: `sha256:` and 64 hex digits."""
        return self.info["digest"]

    @property
    def size(self) -> int:
        """Size of the SavedModel on this machine, bytes."""
        return sum(file.stat().st_size for file in (self.path / _SAVED_MODEL).rglob("*") if file.is_file())

    @property
    def image_size(self) -> int:
        """The working size that the model was trained at, px."""
        return self.info["image_size"]

    @property
    def ab_stride(self) -> int:
        """Px of L* for one px of ab, along each axis."""
        return self.info["ab_stride"]


def digest_files(folder: pathlib.Path) -> str:
    """Returns a digest over names and contents of all files below `folder`, in sorted order."""
    total = hashlib.sha256()
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        with open(file, "rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        total.update(f"{file.relative_to(folder).as_posix()}\0{content}\n".encode())
    return "sha256:" + total.hexdigest()


def _digest(folder: pathlib.Path, info: dict[str, Any]) -> str:
    """Returns the digest of the bundle in a folder, with that description."""
    of_files = digest_files(folder / _SAVED_MODEL)
    if info["format_version"] == 1:
        return of_files
    described = {name: value for name, value in info.items() if name != "digest"}
    return settings.digest({_SAVED_MODEL: of_files, description.FILE: described})


def seal(folder: pathlib.Path, info: dict[str, Any]) -> Bundle:
    """Writes `model.json` into a folder that holds a `saved_model/`, with the digest of both.

    Raises:
        PhotochromError: the description has a value that no reader would accept, such as a metric that is not finite.
    """
    (folder / _SAVED_MODEL / _FINGERPRINT).unlink(missing_ok=True)
    info = {**info, "format_version": description.FORMAT_VERSION}
    info["digest"] = _digest(folder, info)
    try:
        description.check(info, info.get("kind", COLORIZER))
    except ValueError as error:
        raise errors.PhotochromError(f"no bundle was written to {folder}: {error}") from error
    (folder / description.FILE).write_text(json.dumps(info, indent=2, sort_keys=True) + "\n")
    return Bundle(folder, info)


def open_bundle(path: str, kind: str = COLORIZER) -> Bundle:
    """Opens a bundle, `default` or a folder (also in a bucket), and checks that it is complete and of that kind.

    Raises:
        UsageError: no bundle there, another format version, a description or a graph that is not accepted, or files
            that do not match the digest.
    """
    # absolute: workers have another current folder
    folder = str(_DEFAULT_FOLDER) if path == DEFAULT else files.absolute(path.rstrip("/") or path)
    info = _read_info(folder, path, kind)
    if not files.is_local(folder):
        opened = Bundle(_stage(folder, info), info, folder)
    else:
        opened = Bundle(pathlib.Path(folder), info, DEFAULT if path == DEFAULT else "")
        _check_digest(opened.path, info, path)
    graph_check.check(opened.path / _SAVED_MODEL, path)
    return opened


def _read_info(folder: str, path: str, kind: str) -> dict[str, Any]:
    """Returns the description of a bundle, checked."""
    try:
        info = description.parse(_read_file(files.join(folder, description.FILE)))
    except errors.UsageError:
        raise
    except (OSError, ValueError) as error:
        raise errors.UsageError(
            f"{path} is no model bundle: {description.FILE} is missing or broken; expected a folder that "
            f"{_WRITTEN_BY[kind]}"
        ) from error
    found = info.get("format_version") if isinstance(info, dict) else type(info).__name__
    if type(found) is not int or found not in description.READ_VERSIONS:
        raise errors.UsageError(f"{path} has bundle format {str(found)[:60]}, this version reads formats 1 and 2")
    held = info.get("kind", COLORIZER)
    if held != kind:
        raise errors.UsageError(
            f"{path} holds a {str(held)[:60]} model, expected a {kind} model that {_WRITTEN_BY[kind]}"
        )
    try:
        description.check(info, kind)
    except ValueError as error:
        raise errors.UsageError(f"{path}/{description.FILE}: {error}; export the model again") from error
    return info


def _read_file(path: str) -> bytes:
    """Returns a file's content, one byte more than is accepted at most; only regular files are opened."""
    if files.is_local(path) and not os.path.isfile(path):
        raise FileNotFoundError(path)
    return files.read_range(path, 0, description.MAX_BYTES + 1)


def _check_digest(folder: pathlib.Path, info: dict[str, Any], path: str) -> None:
    found = _digest(folder, info)
    if found != info["digest"]:
        raise errors.UsageError(
            f"{path} is damaged: its files have digest {found}, {description.FILE} says {info['digest']}; copy it again"
        )


def _stage(origin: str, info: dict[str, Any]) -> pathlib.Path:
    """Returns the folder of this user's copy of a bundle; its digest is verified each time.

    Raises:
        UsageError: the bundle in the bucket has another digest.
    """
    folder = local_cache.user_folder("bundles") / info["digest"].replace(":", "-")
    with _staging:  # for the threads of a worker; two processes may both copy, and one of them wins
        if _is_copy(folder, info):
            return folder
        partial = folder.with_name(f"{files.TEMPORARY_MARK}{uuid.uuid4().hex}")
        try:
            local_cache.fetch(origin, files.list_folder(origin), partial)
            _check_digest(partial, info, origin)
            shutil.rmtree(folder, ignore_errors=True)  # a copy that was damaged or edited
            partial.rename(folder)
        except OSError:
            if not _is_copy(folder, info):
                raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def _is_copy(folder: pathlib.Path, info: dict[str, Any]) -> bool:
    return folder.is_dir() and _digest(folder, info) == info["digest"]
