"""SHA-256 digests of files below an output folder, opened only if they are regular files of that folder."""

import hashlib
import os

from photochrom.sources import inputs
from photochrom.storage import files
from photochrom.storage.names import printable

MISSING = "is missing"
_PIECE_BYTES = 1 << 20


def read(folder: str, name: str) -> tuple[str, str, int]:
    """Returns (problem, SHA-256, bytes) of a file; either the problem or the digest is ""."""
    problem = problem_of_file(folder, name)
    if problem:
        return problem, "", 0
    path, digest, size = files.join(folder, name), hashlib.sha256(), 0
    try:
        with files.open_read(path) as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
                size += len(piece)
    except OSError as error:
        missing = not files.exists(path)
        return MISSING if missing else f"cannot be read: {printable(str(error))[:200]}", "", size
    return "", digest.hexdigest(), size


def is_whole(folder: str, name: str, sha256: str) -> bool:
    """Whether a file below an output folder exists and has that digest."""
    return read(folder, name)[1] == sha256


def problem_of_file(folder: str, name: str) -> str:
    """Returns why a file below a local folder is not to be opened, or ""; a bucket reports that when it is opened."""
    path = files.join(folder, name)
    return (
        "" if not files.is_local(folder)
        else "leads out of the folder by a link; it was not read" if not inputs.inside(path, folder)
        else MISSING if not os.path.lexists(path)
        else "" if os.path.isfile(path)
        else "is no regular file"
    )  # fmt: skip
