"""A model bundle: the folder that carries a colorizer from training to serving, or a pretrained network to prepare.

    BUNDLE/
      saved_model/     TensorFlow SavedModel with the signature of photochrom.signature
      model.json       kind, name, version, digest over the files, settings, data digest, metrics, licences
      MODEL_CARD.md    the same for people, of a colorizer

Reading one needs no TensorFlow; the digest is checked before anything is loaded.
"""

import dataclasses
import hashlib
import json
import pathlib
from typing import Any

from photochrom import errors

FORMAT_VERSION = 1
# What to open instead of a folder: the bundle that comes with the project.
DEFAULT = "default"
_DEFAULT_FOLDER = pathlib.Path(__file__).parent / "default_model"
# What a bundle can hold, as `kind` in model.json, and the command that writes it.
COLORIZER, FEATURES = "colorizer", "features"
_WRITTEN_BY = {COLORIZER: "`photochrom train` wrote (MODEL_DIR/bundle)", FEATURES: "`photochrom features` wrote"}
_INFO = "model.json"
_SAVED_MODEL = "saved_model"


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A bundle whose digest was found right."""

    path: pathlib.Path
    info: dict[str, Any]

    @property
    def saved_model(self) -> str:
        """The SavedModel's folder."""
        return str(self.path / _SAVED_MODEL)

    @property
    def location(self) -> str:
        """What a worker on another machine finds the SavedModel by, see `find`: its package has the default one too."""
        return DEFAULT if self.path == _DEFAULT_FOLDER else self.saved_model

    @property
    def digest(self) -> str:
        """The digest over the SavedModel's files: `sha256:` and 64 hex digits."""
        return self.info["digest"]

    @property
    def image_size(self) -> int:
        """The working size that the model was trained at, px."""
        return self.info["image_size"]

    @property
    def ab_stride(self) -> int:
        """How many px of L* one px of ab stands for, along each axis."""
        return self.info["ab_stride"]


def find(location: str) -> str:
    """Returns the folder of the SavedModel on this machine, by the `location` of a bundle."""
    return Bundle(_DEFAULT_FOLDER, {}).saved_model if location == DEFAULT else location


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
    """Opens a bundle, `default` or a folder, and checks that it is whole and of that kind.

    Raises:
        UsageError: no bundle there, another format version, or files that do not match the digest.
    """
    folder = _DEFAULT_FOLDER if path == DEFAULT else pathlib.Path(path).absolute()  # workers stand elsewhere
    try:
        info = json.loads((folder / _INFO).read_text())
    except (OSError, ValueError) as error:
        raise errors.UsageError(
            f"{path} is no model bundle: {_INFO} is missing or broken; expected a folder that {_WRITTEN_BY[kind]}"
        ) from error
    if not isinstance(info, dict) or info.get("format_version") != FORMAT_VERSION:
        found = info.get("format_version") if isinstance(info, dict) else type(info).__name__
        raise errors.UsageError(f"{path} has bundle format {found}, this version reads format {FORMAT_VERSION}")
    held = info.get("kind", COLORIZER)
    if held != kind:
        raise errors.UsageError(f"{path} holds a {held} model, expected a {kind} model: what {_WRITTEN_BY[kind]}")
    found = digest_files(folder / _SAVED_MODEL)
    if found != info.get("digest"):
        raise errors.UsageError(
            f"{path} is damaged: its files have digest {found}, {_INFO} says {info.get('digest')}; copy it again"
        )
    return Bundle(folder, info)
