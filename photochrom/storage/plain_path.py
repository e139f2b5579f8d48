r"""Paths without wildcards for TensorFlow, which takes the path of a checkpoint for a pattern.

RestoreV2, tf.train.latest_checkpoint and CheckpointManager look for files that match it: in a folder such as `box [1]`
they find none. Needs /proc.
"""

import contextlib
import os
import re
from collections.abc import Iterator

_MAGIC = re.compile(r"[*?\[\]{}\\]")


@contextlib.contextmanager
def plain(folder: str) -> Iterator[str]:
    """Gives another path of a local folder, without wildcards, which any process of this user can use.

    Args:
        folder: must exist; given back unchanged if its path has no wildcards.
    """
    if not _MAGIC.search(folder) or not os.path.isdir("/proc/self/fd"):
        yield folder
        return
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/{os.getpid()}/fd/{number}"
    finally:
        os.close(number)
