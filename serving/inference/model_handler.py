"""Runs a model bundle on batches of scans: full batches of one shape in, the same batches with ab out."""

import collections
import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference import base
from apache_beam.utils.windowed_value import WindowedValue

from photochrom import errors
from photochrom.jobs import tensorflow_setup
from photochrom.model import ensemble, loaded
from photochrom.model.bundle import Bundle
from serving.inference.predictor import Inferred, Predictor
from serving.inference.room import Room
from serving.scans import Scan

# A model of more is loaded once a machine, by one of its worker processes, and the others send it their scans.
_LARGE_BYTES = 100_000_000


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


class BundleHandler(base.ModelHandler[Scan, Inferred, Predictor]):
    """Loads a SavedModel once a process, or once a machine if it is large, and calls it on batches of one shape."""

    def __init__(self, bundle: Bundle, ensemble: bool = False):
        """Args: bundle: the model. ensemble: whether to average over several views."""
        super().__init__()
        self._bundle = bundle
        self._ab_stride = bundle.ab_stride
        self._ensemble = ensemble
        self._is_large = bundle.size > _LARGE_BYTES

    def share_model_across_processes(self) -> bool:
        return self._is_large

    def load_model(self) -> Predictor:
        tensorflow_setup.import_tensorflow()  # here, so that only workers that do inference wait for it
        call = loaded.Model(self._bundle).predict
        predict = functools.partial(ensemble.average, call) if self._ensemble else call
        return Predictor(predict, self._ab_stride, Room())

    def run_inference(
        self, batch: Sequence[Scan], model: Predictor, inference_args: dict[str, Any] | None = None
    ) -> Iterable[Inferred]:
        try:
            found = model.colors([scan.without_picture() for scan in batch])  # in another process, maybe
        except (ConnectionError, EOFError) as error:
            raise errors.PhotochromError(
                f"the worker process that holds the model for all of this machine is gone ({error}), killed or out of "
                "memory; the same command continues"
            ) from error
        return [(scan, colors) for scan, (_, colors) in zip(batch, found, strict=True)]

    def get_num_bytes(self, batch: Sequence[Scan]) -> int:
        return sum(scan.lightness.nbytes for scan in batch)
