"""A dataset in a bucket as a folder on this machine, which training streams from."""

import hashlib
import logging
import pathlib
import shutil
from collections.abc import Iterable

from photochrom import errors
from photochrom.jobs import progress, signals
from photochrom.storage import files, local_cache

# What is needed to know a dataset, and to check it against the settings.
DESCRIPTION = ("dataset_info.json", "statistics/", "transform_fn/")
FEATURES = "embeddings/"
_INFO = "dataset_info.json"
_GB = 1e9
_log = logging.getLogger("photochrom")


def shards(split: str) -> str:
    """Returns how the names of a split's shards begin."""
    return f"{split}-"


class DatasetCopy:
    """The files of a dataset that are at hand: all of a local one, of another those that `bring` was told.

    Each state of a dataset has a copy of its own, by its address and dataset_info.json, which `prepare` writes last: a
    run goes on with the records that it began with, whatever lies in the bucket by then.

    Attributes:
        folder: where they lie.
    """

    def __init__(self, data: str, cache_dir: str = "", cache_gb: float = 0.0):
        """Finds where the copy is, or shall be.

        Args:
            data: the dataset's folder.
            cache_dir: for the copies of all datasets; "" is this user's below the system's for temporary files.
            cache_gb: what they may take together; 0: what the disk has.

        Raises:
            UsageError: no dataset there.
        """
        self._data, self._is_local = data.rstrip("/"), files.is_local(data)
        self._cache_gb = cache_gb
        if self._is_local:
            self.folder = pathlib.Path(data)
            return
        self._cache = pathlib.Path(cache_dir) if cache_dir else local_cache.user_folder("datasets")
        self.folder = self._cache / hashlib.sha256(self._data.encode() + b"\0" + self._read_info()).hexdigest()[:32]
        self._listed = list(files.list_folder(self._data))

    def bring(self, *beginnings: str) -> None:
        """Copies the files whose names begin so, unless they are here already.

        Raises:
            UsageError: there is no room for them; nothing was copied.
            OSError: a file cannot be read or written; what is here remains.
        """
        if self._is_local:
            return
        start = f"{self._data}/"
        wanted = [info for info in self._listed if info.path.removeprefix(start).startswith(beginnings)]
        with local_cache.locked(self.folder), signals.at_once(files.abandon):
            missing = local_cache.missing(self._data, wanted, self.folder)
            self._check_room(missing)
            if missing:
                self._copy(missing, len(wanted))

    def _copy(self, missing: list[files.FileInfo], wanted: int) -> None:
        _log.info(
            "copying %d files, %.3f GB, of %s to %s; %d are there",
            len(missing), _size(missing) / _GB, self._data, self.folder, wanted - len(missing),
        )  # fmt: skip
        with progress.counted("copy dataset", len(missing)) as advance:
            local_cache.fetch(self._data, missing, self.folder, advance)

    def _read_info(self) -> bytes:
        try:
            return files.read_bytes(f"{self._data}/{_INFO}")
        except FileNotFoundError as error:
            if isinstance(error, errors.UsageError):
                raise
            raise errors.UsageError(
                f"--data {self._data} is no whole dataset: {_INFO} is missing; expected a folder that "
                "`photochrom prepare` wrote"
            ) from error

    def _check_room(self, missing: list[files.FileInfo]) -> None:
        needed, held = _size(missing), _size(files.list_folder(str(self._cache)))
        free = shutil.disk_usage(self._cache).free
        if self._cache_gb and needed + held > self._cache_gb * _GB:
            raise errors.UsageError(
                f"the copy of {self._data} needs {needed / _GB:.3f} GB more, {self._cache} holds {held / _GB:.3f} GB "
                f"and may hold {self._cache_gb:g} (--cache_gb); allow more, or delete folders of other datasets there"
            )
        if needed > free:
            raise errors.UsageError(
                f"the copy of {self._data} needs {needed / _GB:.3f} GB more, the disk of {self._cache} has "
                f"{free / _GB:.3f} GB left; make room, or name a folder on a larger disk by --cache_dir"
            )


def _size(infos: Iterable[files.FileInfo]) -> int:
    return sum(max(info.size, 0) for info in infos)
