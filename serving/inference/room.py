"""How many pictures a model may get at once, by the memory that is left."""

import contextlib
import sys
from collections.abc import Iterator

from serving.inference import memory

# Of what is left: other threads and processes of the machine call models as well, and write copies.
_SHARE = 0.25
# Pictures of the first call, before anything is known.
_FEW = 2
# Bytes a pixel of the working size at least: what goes in and comes out, where the rest is memory held already.
_LEAST = 16


class Room:
    """Knows what a pixel takes beyond what the process holds, once a call was measured.

    The kernel's peak counts all that the process did meanwhile, and the first call's own setting up, so it is rather
    too much than too little.
    """

    def __init__(self) -> None:
        self._bytes_a_pixel = 0.0

    def holds(self, pixels: int) -> int:
        """Returns for how many pictures of so many px there is room: at least one."""
        left = memory.available()
        if left is None or not memory.held():
            return sys.maxsize
        if not self._bytes_a_pixel:
            return _FEW
        return max(1, int(_SHARE * left / (self._bytes_a_pixel * pixels)))

    @contextlib.contextmanager
    def measured(self, pixels: int) -> Iterator[None]:
        """Measures what the first call takes, for pictures of so many px together."""
        if self._bytes_a_pixel:
            yield
            return
        memory.forget_peak()
        before = memory.held()
        yield
        self._bytes_a_pixel = max(_LEAST, (memory.peak() - before) / pixels)
