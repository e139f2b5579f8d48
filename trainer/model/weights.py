"""Sources of a backbone's weights: Keras's download, a file, a URL, or none (random)."""

import dataclasses
import hashlib
import logging
import os
import pathlib
import warnings

import keras

from photochrom import errors
from photochrom.storage import files, local_cache
from photochrom.storage.names import printable
from trainer.model import lite_weights
from trainer.model.backbones import Backbone

_log = logging.getLogger("photochrom")
_SUFFIXES = (".h5", ".keras", lite_weights.SUFFIX)


@dataclasses.dataclass(frozen=True)
class Weights:
    """Weights on this machine, or to be downloaded by Keras.

    Attributes:
        source: value of --backbone_weights.
        path: the local file; None for `none` and for downloads by Keras.
        sha256: digest of the file, hex; Keras checks its own downloads.
    """

    source: str
    path: pathlib.Path | None = None
    sha256: str = ""

    @property
    def title(self) -> str:
        """The source for model.json: only the name of a local file, without its folder."""
        return printable(self.path.name if self.path and "://" not in self.source else self.source)[:1000]


def fetch(source: str, architecture: str, sha256: str = "") -> Weights:
    """Brings a weights file to this machine and checks its digest; Keras downloads its own when it builds the network.

    Raises:
        UsageError: the file is unavailable, no weights file, or has another digest.
    """
    if source == "none":
        _log.warning("the backbone starts from random weights: its features are of little use")
    if source == "imagenet" and architecture == "EfficientNetLite0":
        return Weights(source, lite_weights.find(), lite_weights.SHA256)
    if source in ("imagenet", "none"):
        return Weights(source)
    if not source.endswith(_SUFFIXES):
        raise errors.UsageError(f"--backbone_weights is {source}, expected imagenet, none or a file {_SUFFIXES}")
    path = _local(source)
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    _log.info("backbone weights %s have SHA-256 %s", source, found)
    if sha256 and found != sha256.lower():
        raise errors.UsageError(f"{source} has SHA-256 {found}, --backbone_weights_sha256 says {sha256}")
    return Weights(source, path, found)


def load_backbone(architecture: str, weights: Weights) -> Backbone:
    """Builds the backbone with its weights.

    Raises:
        UsageError: the download failed, or the file belongs to another architecture.
    """
    if weights.source == "imagenet" and not weights.path:
        try:
            return Backbone(architecture, "imagenet", name="backbone")
        except Exception as error:  # get_file raises a bare Exception
            raise errors.UsageError(
                f"the ImageNet weights of {architecture} cannot be downloaded ({_first_line(error)}); "
                "give a weights file by --backbone_weights, or none"
            ) from error
    backbone = Backbone(architecture, name="backbone")
    if weights.path:
        try:
            _load(backbone.network, weights.path)
        except (ValueError, OSError, KeyError, UserWarning) as error:
            raise errors.UsageError(
                f"{weights.source} does not fit --backbone {architecture} without its top: {_first_line(error)}"
            ) from error
    return backbone


def _load(network: keras.Model, path: pathlib.Path) -> None:
    if path.suffix == lite_weights.SUFFIX:
        lite_weights.load(network, path)
        return
    with warnings.catch_warnings():
        # Keras only warns about layers missing from the file, and leaves them random.
        warnings.simplefilter("error", UserWarning)
        network.load_weights(path)


def _local(source: str) -> pathlib.Path:
    """Returns the file's path on this machine; remote files are downloaded into Keras's cache."""
    if "://" not in source:
        if not pathlib.Path(source).is_file():
            raise errors.UsageError(f"--backbone_weights is {source}, but there is no such file")
        return pathlib.Path(source)
    cache = pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    digest = hashlib.sha256(source.encode()).hexdigest()[:12]  # two URLs may end in the same name
    try:
        if source.startswith(("https://", "http://")):
            name = f"{digest}-{source.rpartition('/')[2]}"
            return pathlib.Path(keras.utils.get_file(name, source, cache_subdir="photochrom", cache_dir=str(cache)))
        return _copy_here(source, cache / "photochrom" / digest)
    except Exception as error:  # get_file raises a bare Exception, each filesystem its own
        raise errors.UsageError(f"--backbone_weights {source} cannot be read: {_first_line(error)}") from error


def _copy_here(source: str, folder: pathlib.Path) -> pathlib.Path:
    """Returns the local copy of a remote file, renewed if the file has changed."""
    origin, _, name = source.rpartition("/")
    local_cache.fetch(origin, local_cache.missing(origin, [files.stat(source)], folder), folder)
    return folder / name


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
