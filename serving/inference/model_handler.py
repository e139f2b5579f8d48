"""Beam's handler of a model bundle: full batches of one shape in, the same batches with ab out."""

import contextlib
import functools
from collections.abc import Iterable, Sequence
from typing import Any

from apache_beam.ml.inference import base

from photochrom import errors
from photochrom.jobs import progress, tensorflow_setup
from photochrom.model import ensemble, loaded
from photochrom.model.bundle import Bundle
from serving.inference.memory import Room
from serving.inference.predictor import Inferred, Predictor
from serving.scans import Candidate

# A larger model is loaded once a machine, by one of its worker processes, and the others send it their scans.
_LARGE_BYTES = 100_000_000


class BundleHandler(base.ModelHandler[Candidate, Inferred, Predictor]):
    """Loads a SavedModel once a process, or once a machine if it is large, and calls it on batches of one shape."""

    def __init__(self, bundle: Bundle, ensemble: bool = False, progress_folder: str = ""):
        """Returns a handler.

        Args:
            bundle: the model.
            ensemble: whether to average over several views.
            progress_folder: where the worker that loads the model says so; "" for nowhere.
        """
        super().__init__()
        self._progress_folder = progress_folder
        self._bundle = bundle
        self._ab_stride = bundle.ab_stride
        self._ensemble = ensemble
        self._is_large = bundle.size > _LARGE_BYTES

    def share_model_across_processes(self) -> bool:
        return self._is_large

    def load_model(self) -> Predictor:
        is_shown = bool(self._progress_folder)
        with progress.stage(self._progress_folder, "loading the model") if is_shown else contextlib.nullcontext():
            tensorflow_setup.import_tensorflow()  # here, so that only workers that do inference wait for it
            call = loaded.Model(self._bundle).predict
        predict = functools.partial(ensemble.average, call) if self._ensemble else call
        return Predictor(predict, self._ab_stride, Room())

    def run_inference(
        self, batch: Sequence[Candidate], model: Predictor, inference_args: dict[str, Any] | None = None
    ) -> Iterable[Inferred]:
        try:
            found = model.colors([candidate.scan.without_picture() for candidate in batch])  # in another process, maybe
        except (ConnectionError, EOFError) as error:
            raise errors.PhotochromError(
                f"the worker process that holds the model for all of this machine is gone ({error}), killed or out of "
                "memory; the same command continues"
            ) from error
        return [(candidate, colors) for candidate, (_, colors) in zip(batch, found, strict=True)]

    def get_num_bytes(self, batch: Sequence[Candidate]) -> int:
        return sum(candidate.scan.lightness.nbytes for candidate in batch)
