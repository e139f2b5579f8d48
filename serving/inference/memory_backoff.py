"""The memory back-off: smaller batches, and at last a smaller scan, where the model runs out of memory.

Out-of-memory is no property of the scans, so the smaller batch size stays: no later batch is tried at the size that
failed, for TensorFlow waits 10 s each time for memory to come free. A scan for which memory does not suffice alone is
tried once more at half its working size. A processor's memory raises no such error, for the kernel kills the process
that takes too much: `memory.Room` limits batches to the memory that is left.
"""

import threading


class BatchLimit:
    """The largest batch size that memory suffices for, shared by the threads that call one model."""

    def __init__(self) -> None:
        self._largest: int | None = None
        self._lock = threading.Lock()

    @property
    def is_one(self) -> bool:
        """Whether memory suffices for one scan at a time only."""
        return self._largest == 1

    def size(self, count: int) -> int:
        """Returns how many of `count` scans to give to the model at once."""
        return self._largest or count

    def shrink_to(self, size: int) -> None:
        """Limits all later batches to `size` scans."""
        with self._lock:
            self._largest = min(size, self._largest or size)


def is_out_of_memory(error: Exception) -> bool:
    """Whether a model's error is out-of-memory."""
    import tensorflow as tf  # loaded with the model

    return isinstance(error, MemoryError | tf.errors.ResourceExhaustedError)
