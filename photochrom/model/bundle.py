"""A model bundle: the folder that transfers a colorizer from training to serving, or a pretrained network to prepare.

    BUNDLE/
      saved_model/     TensorFlow SavedModel with the signature of photochrom.model.signature
      model.json       kind, name, version, digest over the files, settings, data digest, metrics, licences
      MODEL_CARD.md    the same for human readers, of a colorizer

Reading one needs no TensorFlow; the digest is checked before anything is loaded. Each machine that needs a bundle from
a bucket copies it once, below the system's folder for temporary files.
"""

import dataclasses
import hashlib
import json
import pathlib
import re
import shutil
import threading
import uuid
from typing import Any

from photochrom import errors
from photochrom.storage import files, local_cache

FORMAT_VERSION = 1
# The path that opens the bundle that comes with the project.
DEFAULT = "default"
_DEFAULT_FOLDER = pathlib.Path(__file__).parent / "default"
# The kinds of bundles, `kind` in model.json, and the commands that write them.
COLORIZER, FEATURES = "colorizer", "features"
_WRITTEN_BY = {COLORIZER: "`photochrom train` wrote (MODEL_DIR/bundle)", FEATURES: "`photochrom features` wrote"}
_INFO = "model.json"
_SAVED_MODEL = "saved_model"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_staging = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A bundle whose digest was verified.

    Attributes:
        path: its folder, or this machine's copy of it.
        info: the content of model.json.
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
            else _stage(self.origin, self.digest) if self.origin
            else self.path
        )  # fmt: skip
        return str(folder / _SAVED_MODEL)

    @property
    def digest(self) -> str:
        """The digest over the SavedModel's files: `sha256:` and 64 hex digits."""
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


def seal(folder: pathlib.Path, info: dict[str, Any]) -> Bundle:
    """Writes `model.json` into a folder that holds a `saved_model/`, with the digest of its files."""
    info = {**info, "format_version": FORMAT_VERSION, "digest": digest_files(folder / _SAVED_MODEL)}
    (folder / _INFO).write_text(json.dumps(info, indent=2, sort_keys=True) + "\n")
    return Bundle(folder, info)


def open_bundle(path: str, kind: str = COLORIZER) -> Bundle:
    """Opens a bundle, `default` or a folder (also in a bucket), and checks that it is complete and of that kind.

    Raises:
        UsageError: no bundle there, another format version, or files that do not match the digest.
    """
    # absolute: workers have another current folder
    folder = str(_DEFAULT_FOLDER) if path == DEFAULT else files.absolute(path.rstrip("/"))
    try:
        info = json.loads(files.read_bytes(files.join(folder, _INFO)))
    except errors.UsageError:
        raise
    except (OSError, ValueError) as error:
        raise errors.UsageError(
            f"{path} is no model bundle: {_INFO} is missing or broken; expected a folder that {_WRITTEN_BY[kind]}"
        ) from error
    if not isinstance(info, dict) or info.get("format_version") != FORMAT_VERSION:
        found = info.get("format_version") if isinstance(info, dict) else type(info).__name__
        raise errors.UsageError(f"{path} has bundle format {found}, this version reads format {FORMAT_VERSION}")
    held = info.get("kind", COLORIZER)
    if held != kind:
        raise errors.UsageError(f"{path} holds a {held} model, expected a {kind} model that {_WRITTEN_BY[kind]}")
    if not files.is_local(folder):
        return Bundle(_stage(folder, str(info.get("digest"))), info, folder)
    _check_digest(pathlib.Path(folder), str(info.get("digest")), path)
    return Bundle(pathlib.Path(folder), info, DEFAULT if path == DEFAULT else "")


def _check_digest(folder: pathlib.Path, digest: str, path: str) -> None:
    found = digest_files(folder / _SAVED_MODEL)
    if found != digest:
        raise errors.UsageError(
            f"{path} is damaged: its files have digest {found}, {_INFO} says {digest}; copy it again"
        )


def _stage(origin: str, digest: str) -> pathlib.Path:
    """Returns the folder of this user's copy of a bundle; its digest is verified each time.

    Raises:
        UsageError: the bundle in the bucket has another digest.
    """
    if not _DIGEST.fullmatch(digest):
        raise errors.UsageError(f"{origin} is damaged: {_INFO} says {digest!r}, expected sha256: and 64 hex digits")
    folder = local_cache.user_folder("bundles") / digest.replace(":", "-")
    with _staging:  # for the threads of a worker; two processes may both copy, and one of them wins
        if folder.is_dir() and digest_files(folder / _SAVED_MODEL) == digest:
            return folder
        partial = folder.with_name(f"{files.TEMPORARY_MARK}{uuid.uuid4().hex}")
        try:
            local_cache.fetch(origin, files.list_folder(origin), partial)
            _check_digest(partial, digest, origin)
            shutil.rmtree(folder, ignore_errors=True)  # a copy that was damaged or edited
            partial.rename(folder)
        except OSError:
            if not (folder.is_dir() and digest_files(folder / _SAVED_MODEL) == digest):
                raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder
