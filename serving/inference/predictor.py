"""Calls a model on batches of scans of one shape; a scan that it cannot take costs as little as possible.

A scan that breaks its batch (poison) is found by halving: 1 in 64 costs 13 calls, and the other 63 get their colours.
Out-of-memory is handled separately: see `memory_backoff`.

A single scan is given twice: TensorFlow's kernels for a batch of one give other last digits than those for more, which
all agree (`tensorflow_setup.choose_kernels`), and a copy must not depend on the other scans of its batch.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from photochrom import errors
from photochrom.color import smoothing
from photochrom.model import ensemble, working_size
from serving.inference import memory_backoff
from serving.inference.memory import Room
from serving.inference.memory_backoff import BatchLimit
from serving.scans import Candidate, Scan


@dataclasses.dataclass(frozen=True)
class Colors:
    """The model's result for one scan.

    Attributes:
        ab: [h, w, 2] float32 CIE a*, b*, of the picture without its padding.
        confidence: mean over the picture, 0..1.
        notes: for the row, about the way in which they were made.
    """

    ab: np.ndarray
    confidence: float
    notes: tuple[str, ...] = ()


Result = Colors | errors.ModelError
Inferred = tuple[Candidate, Result]


class Predictor:
    """A loaded model, for several threads at once; all of them keep to the batch size that one found to fit."""

    def __init__(self, predict: Callable[[np.ndarray], ensemble.Answers], ab_stride: int, room: Room):
        """Wraps a loaded model.

        Args:
            predict: calls the model on [B, h, w, 1] float32 L*.
            ab_stride: px of L* for one px of its ab.
            room: the memory for it.
        """
        self._predict = predict
        self._ab_stride = ab_stride
        self._room = room
        self._limit = BatchLimit()

    def colors(self, scans: Sequence[Scan]) -> list[tuple[Scan, Result]]:
        """Returns each scan with its colours, or with its own error, in the order of the scans.

        Each call is for fewer scans than the one that failed before it, so the recursion ends.
        """
        size = min(self._limit.size(len(scans)), self._room.holds(scans[0].lightness.size))
        if len(scans) > size:
            return [one for start in range(0, len(scans), size) for one in self.colors(scans[start : start + size])]
        try:
            return self._call(scans)
        except Exception as error:  # any error of the engine costs only the scan that causes it
            is_out_of_memory = memory_backoff.is_out_of_memory(error)
            if len(scans) == 1 and is_out_of_memory and not self._limit.is_one:
                self._limit.shrink_to(1)
                return self.colors(scans)
            if len(scans) == 1:
                scan = scans[0]
                return [(scan, self._smaller(scan, error) if is_out_of_memory else errors.ModelError(_message(error)))]
        middle = len(scans) // 2
        if is_out_of_memory:
            self._limit.shrink_to(middle)
        return self.colors(scans[:middle]) + self.colors(scans[middle:])

    def _smaller(self, scan: Scan, error: Exception) -> Result:
        """Returns the model's result for a scan at half its working size."""
        height, width = scan.lightness.shape
        sizes = f"{height}x{width} px"
        smaller = scan.halved(self._ab_stride)
        if smaller:
            sizes += f", nor at {smaller.lightness.shape[0]}x{smaller.lightness.shape[1]} px"
            try:
                [(_, colors)] = self._call([smaller])
            except Exception as second:  # as above
                if not memory_backoff.is_out_of_memory(second):
                    return errors.ModelError(_message(second))
                error = second
            else:
                note = f"coloured at half the working size, {smaller.size[0]}x{smaller.size[1]} px: memory was short"
                return dataclasses.replace(colors, notes=(note,)) if isinstance(colors, Colors) else colors
        return errors.ModelError(
            f"memory does not suffice for the model at {sizes}: {_message(error)}", "out_of_memory"
        )

    def _call(self, scans: Sequence[Scan]) -> list[tuple[Scan, Result]]:
        times = 2 if len(scans) == 1 and not self._limit.is_one else 1
        lightness = np.stack([scan.lightness for scan in scans] * times)[..., None]  # [B, h, w, 1]
        with self._room.measured(lightness.size):
            answers = self._predict(lightness)
        return [(scan, _finished(scan, *answer)) for scan, *answer in zip(scans, *answers, strict=False)]


def _message(error: Exception) -> str:
    return f"the model failed: {errors.said(error)}"


def _finished(scan: Scan, ab: np.ndarray, confidence: np.ndarray) -> Result:
    """Cuts the padding off the model's outputs, [H/s, W/s, ...], and evens out the colours of each surface."""
    stride = scan.lightness.shape[0] // ab.shape[0]
    ab, confidence = (working_size.cut(one, scan.size, stride) for one in (ab, confidence))
    if not np.isfinite(ab).all():
        return errors.ModelError("the model returned values that are not finite")
    return Colors(smoothing.smooth(ab, scan.seen), round(float(confidence.mean()), 4))
