r"""Paths without wildcards for TensorFlow, which takes the path of a checkpoint for a pattern.

RestoreV2, tf.train.latest_checkpoint and CheckpointManager look for files that match it: in a folder such as `box [1]`
they find none. Needs /proc.
"""

import contextlib
import os
import re
from collections.abc import Iterator

from photochrom.storage import files

_MAGIC = re.compile(r"[*?\[\]{}\\]")


@contextlib.contextmanager
def plain(folder: str) -> Iterator[str]:
    """Gives another path of a folder, without wildcards, which this user's processes on this machine can use.

    Args:
        folder: must exist; given back unchanged if its path has no wildcards, or is in a bucket.
    """
    if not _MAGIC.search(folder) or not files.is_local(folder) or not os.path.isdir("/proc/self/fd"):
        yield folder
        return
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/{os.getpid()}/fd/{number}"
    finally:
        os.close(number)
