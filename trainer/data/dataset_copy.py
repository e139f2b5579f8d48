"""A local copy of a dataset in a bucket, from which training reads its streams."""

import hashlib
import logging
import pathlib
import shutil
from collections.abc import Iterable

from photochrom import dataset, errors
from photochrom.jobs import progress, signals
from photochrom.storage import files, local_cache

# The files that open a dataset and check it against the settings.
DESCRIPTION = (dataset.INFO, f"{dataset.STATISTICS_FOLDER}/", f"{dataset.TRANSFORM}/")
FEATURES = f"{dataset.EMBEDDINGS}/"
_GB = 1e9
_log = logging.getLogger("photochrom")


class DatasetCopy:
    """The local files of a dataset: all files of a local dataset, or those that `bring` has copied from a bucket.

    Each state of a dataset has its own copy, identified by its address and dataset_info.json, which `prepare` writes
    last: a run continues with the records that it started with, even if the bucket's have changed.

    Attributes:
        folder: the folder of the files.
    """

    def __init__(self, data: str, cache_dir: str = "", cache_gb: float = 0.0):
        """Determines the folder of the copy.

        Args:
            data: the dataset's folder.
            cache_dir: folder of the copies of all datasets; "": the user's cache below the system's temporary folder.
            cache_gb: limit of all copies together; 0: the disk's free space.

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
        """Copies the files whose names have one of these beginnings, unless the copy has them already.

        Raises:
            UsageError: they need more space than there is; nothing was copied.
            OSError: a file cannot be read or written; the files copied so far remain.
        """
        if self._is_local:
            return
        start = f"{self._data}/"
        wanted = [info for info in self._listed if info.path.removeprefix(start).startswith(beginnings)]
        with local_cache.locked(self.folder), signals.at_once(files.abandon):
            missing = local_cache.missing(self._data, wanted, self.folder)
            self._check_space(missing)
            if missing:
                self._copy(missing, len(wanted))

    def _copy(self, missing: list[files.FileInfo], wanted: int) -> None:
        _log.info(
            "copying %d files, %.3f GB, of %s to %s; %d are there already",
            len(missing), _size(missing) / _GB, self._data, self.folder, wanted - len(missing),
        )  # fmt: skip
        with progress.counted("copy dataset", len(missing)) as advance:
            local_cache.fetch(self._data, missing, self.folder, advance)

    def _read_info(self) -> bytes:
        try:
            return files.read_bytes(f"{self._data}/{dataset.INFO}")
        except FileNotFoundError as error:
            if isinstance(error, errors.UsageError):
                raise
            raise errors.UsageError(
                f"--data {self._data} is no complete dataset: {dataset.INFO} is missing; expected a folder that "
                "`photochrom prepare` wrote"
            ) from error

    def _check_space(self, missing: list[files.FileInfo]) -> None:
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
