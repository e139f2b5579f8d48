"""Calls a model on batches of scans of one shape, so that what it cannot do costs as little as possible.

A scan that breaks its batch (poison) is found by halving: 1 in 64 costs 13 calls, and the other 63 get their colours.
Want of memory is another thing: it says nothing about the scans. The batch is halved as well, but the smaller size
stays, so that no later batch is tried at the size that failed: TensorFlow waits 10 s each time for memory to come free.
A scan for which memory does not even suffice alone is tried once more at half its working size. A processor's memory
gives no such error, for the kernel ends who takes too much: `room` keeps batches to what is left of it.

A scan that is alone is given twice: TensorFlow's kernels for a batch of one give other last digits than those for more,
which all agree (`quiet.choose_kernels`), and a copy must not depend on what else was in its batch.
"""

import dataclasses
import threading
from collections.abc import Callable, Sequence

import numpy as np

from photochrom import errors
from photochrom.model import ensemble
from serving.inference.room import Room
from serving.scans import Scan


@dataclasses.dataclass(frozen=True)
class Colors:
    """What the model says of one scan.

    Attributes:
        ab: [h, w, 2] float32 CIE a*, b*, of the picture without its padding.
        confidence: mean over the picture, 0..1.
        notes: what the row should say of how they came about.
    """

    ab: np.ndarray
    confidence: float
    notes: tuple[str, ...] = ()


Inferred = tuple[Scan, Colors | errors.ModelError]


class Predictor:
    """A loaded model. For several threads at once; all of them keep to the batch size that one found to fit."""

    def __init__(self, predict: Callable[[np.ndarray], ensemble.Answers], ab_stride: int, room: Room):
        """Makes one.

        Args:
            predict: calls the model on [B, h, w, 1] float32 L*.
            ab_stride: px of L* for one px of its ab.
            room: how much memory there is for it.
        """
        self._predict = predict
        self._ab_stride = ab_stride
        self._room = room
        self._largest: int | None = None  # scans at once, once memory did not suffice for more
        self._lock = threading.Lock()

    def colors(self, scans: Sequence[Scan]) -> list[Inferred]:
        """Returns each scan with its colours, or with the error that it alone has to bear, in the order of the scans.

        Each call is for fewer scans than the one that failed before it, so that there is an end to it.
        """
        size = min(self._largest or len(scans), self._room.holds(scans[0].lightness.size))
        if len(scans) > size:
            return [one for start in range(0, len(scans), size) for one in self.colors(scans[start : start + size])]
        try:
            return self._call(scans)
        except Exception as error:  # whatever the engine raises, it costs the scan that causes it alone
            lacks_memory = _is_out_of_memory(error)
            if len(scans) == 1 and lacks_memory and self._largest != 1:
                self._keep_to(1)
                return self.colors(scans)
            if len(scans) == 1:
                scan = scans[0]
                return [(scan, self._reduced(scan, error) if lacks_memory else errors.ModelError(_said(error)))]
        middle = len(scans) // 2
        if lacks_memory:
            self._keep_to(middle)
        return self.colors(scans[:middle]) + self.colors(scans[middle:])

    def _keep_to(self, size: int) -> None:
        with self._lock:
            self._largest = min(size, self._largest or size)

    def _reduced(self, scan: Scan, error: Exception) -> Colors | errors.ModelError:
        """Returns what the model says of a scan at half its working size."""
        height, width = scan.lightness.shape
        sizes = f"{height}x{width} px"
        smaller = scan.halved(self._ab_stride)
        if smaller:
            sizes += f", nor at {smaller.lightness.shape[0]}x{smaller.lightness.shape[1]} px"
            try:
                [(_, colors)] = self._call([smaller])
            except Exception as second:  # as above
                if not _is_out_of_memory(second):
                    return errors.ModelError(_said(second))
                error = second
            else:
                note = f"coloured at half the working size, {smaller.size[0]}x{smaller.size[1]} px: memory was short"
                return dataclasses.replace(colors, notes=(note,)) if isinstance(colors, Colors) else colors
        return errors.ModelError(f"memory does not suffice for the model at {sizes}: {_said(error)}", "out_of_memory")

    def _call(self, scans: Sequence[Scan]) -> list[Inferred]:
        times = 2 if len(scans) == 1 and self._largest != 1 else 1
        lightness = np.stack([scan.lightness for scan in scans] * times)[..., None]  # [B, h, w, 1]
        with self._room.measured(lightness.size):
            answers = self._predict(lightness)
        return [(scan, _cut(scan, *answer)) for scan, *answer in zip(scans, *answers, strict=False)]


def _is_out_of_memory(error: Exception) -> bool:
    import tensorflow as tf  # loaded by whoever loaded the model

    return isinstance(error, MemoryError | tf.errors.ResourceExhaustedError)


def _said(error: Exception) -> str:
    return f"the model failed: {type(error).__name__}: {str(error)[:500]}"


def _cut(scan: Scan, ab: np.ndarray, confidence: np.ndarray) -> Colors | errors.ModelError:
    """Cuts the padding off the model's outputs [H/s, W/s, ...]."""
    stride = scan.lightness.shape[0] // ab.shape[0]
    height, width = (side // stride for side in scan.size)
    if not np.isfinite(ab[:height, :width]).all():
        return errors.ModelError("the model returned values that are not finite")
    return Colors(ab[:height, :width], round(float(confidence[:height, :width].mean()), 4))
