"""Runs a model bundle on batches of scans: full batches of one shape in, the same batches with ab out."""

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.ml.inference import base
from apache_beam.utils.windowed_value import WindowedValue

from photochrom import ensemble, errors, signature
from serving.scans import Scan


@dataclasses.dataclass(frozen=True)
class Colors:
    """What the model says of one scan.

    Attributes:
        ab: [h, w, 2] float32 CIE a*, b*, of the picture without its padding.
        confidence: mean over the picture, 0..1.
    """

    ab: np.ndarray
    confidence: float


class BatchByShape(beam.DoFn):
    """Scan -> batches: lists of up to `batch_size` scans whose network inputs have one shape.

    Batches do not cross the border of a bundle, so nothing is lost when a bundle is done again.
    """

    def __init__(self, batch_size: int):
        self._batch_size = batch_size

    def start_bundle(self) -> None:
        self._waiting: dict[tuple[int, ...], list[Scan]] = collections.defaultdict(list)

    def process(self, scan: Scan) -> Iterator[list[Scan]]:
        waiting = self._waiting[scan.lightness.shape]
        waiting.append(scan)
        if len(waiting) == self._batch_size:
            del self._waiting[scan.lightness.shape]
            yield waiting

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for batch in self._waiting.values():
            yield beam.transforms.window.GlobalWindows.windowed_value(batch)
        self._waiting.clear()


Inferred = tuple[Scan, Colors | errors.ModelError]


class BundleHandler(base.ModelHandler[Scan, Inferred, Any]):
    """Loads a SavedModel once a process and calls it on batches of scans of one shape.

    A batch that fails is halved until the scan that breaks it stands alone; the others get their colours.
    """

    def __init__(self, saved_model: str, ensemble: bool = False):
        """Args: saved_model: its folder. ensemble: whether to average over photochrom.ensemble's views."""
        super().__init__()
        self._saved_model = saved_model
        self._ensemble = ensemble

    def load_model(self) -> Any:
        import tensorflow as tf  # here, so that only workers that do inference wait for it

        return tf.saved_model.load(self._saved_model)

    def run_inference(
        self, batch: Sequence[Scan], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Iterable[Inferred]:
        return self._colors(list(batch), model.signatures[signature.NAME])

    def get_num_bytes(self, batch: Sequence[Scan]) -> int:
        return sum(scan.lightness.nbytes for scan in batch)

    def _colors(self, scans: list[Scan], predict: Any) -> list[Inferred]:
        try:
            outputs = self._predict(scans, predict)
        except Exception as error:  # whatever the engine raises, it costs the scan that causes it alone
            if len(scans) == 1:
                return [(scans[0], errors.ModelError(f"the model failed: {type(error).__name__}: {str(error)[:500]}"))]
            middle = len(scans) // 2
            return self._colors(scans[:middle], predict) + self._colors(scans[middle:], predict)
        return [(scan, _cut(scan, *output)) for scan, output in zip(scans, outputs, strict=True)]

    def _predict(self, scans: list[Scan], predict: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        import tensorflow as tf

        def call(lightness: np.ndarray) -> ensemble.Answers:
            outputs = predict(**{signature.LIGHTNESS: tf.constant(lightness)})
            return outputs[signature.AB].numpy(), outputs[signature.CONFIDENCE].numpy()

        lightness = np.stack([scan.lightness for scan in scans])[..., None]  # [B, h, w, 1]
        return zip(*(ensemble.average(call, lightness) if self._ensemble else call(lightness)), strict=True)


def _cut(scan: Scan, ab: np.ndarray, confidence: np.ndarray) -> Colors | errors.ModelError:
    """Cuts the padding off the model's outputs [H/s, W/s, ...]."""
    stride = scan.lightness.shape[0] // ab.shape[0]
    height, width = (side // stride for side in scan.size)
    if not np.isfinite(ab[:height, :width]).all():
        return errors.ModelError("the model returned values that are not finite")
    return Colors(ab[:height, :width], round(float(confidence[:height, :width].mean()), 4))
