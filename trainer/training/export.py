"""The finished model as a bundle: SavedModel, model.json and model card."""

import os
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from photochrom import errors
from photochrom.model import bundle, loaded, signature
from trainer.model.backbones import Backbone
from trainer.model.calibrated import Calibration, predict
from trainer.training import model_card

_OUTPUTS = (signature.AB, signature.CONFIDENCE)
# ab units and confidence: on the same machine the same graph differs only by the order of sums.
TOLERANCE = 1e-2


class Served(tf.Module):
    """The model with the inputs and outputs of photochrom.model.signature."""

    def __init__(self, model: keras.Model, correction: Calibration | None = None):
        super().__init__()
        self.model = model  # the start of another run by that name
        self.correction = correction

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 1], tf.float32, name=signature.LIGHTNESS)])
    def __call__(self, lightness: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = predict(self.model, self.correction, lightness)
        return {name: outputs[name] for name in _OUTPUTS}


def export_bundle(
    model: keras.Model,
    folder: pathlib.Path,
    info: dict[str, Any],
    correction: Calibration | None = None,
    tolerance: float = TOLERANCE,
) -> bundle.Bundle:
    """Writes the bundle beside `folder`, checks it, and renames it into place.

    Args:
        model: a trained colorizer; afterwards it computes in float32, also after training in mixed precision.
        folder: of the bundle; must not exist.
        info: content of model.json beside format, digest and signature.
        correction: of its colours.
        tolerance: largest difference between model and SavedModel, ab units and confidence.
    """
    compute_in_float32(model)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    served = Served(model, correction)
    saved_model = str(partial / "saved_model")
    tf.saved_model.save(served, saved_model, signatures={signature.NAME: served.__call__})
    _check_same(served, loaded.load(saved_model, str(folder)), info["image_size"], tolerance)
    sealed = bundle.seal(partial, {**info, "signature": describe_signature(info["ab_stride"])})
    (partial / "MODEL_CARD.md").write_text(model_card.write_card(sealed.info))
    os.rename(partial, folder)
    return bundle.open_bundle(str(folder))


def describe_signature(ab_stride: int) -> dict[str, Any]:
    """Returns the tensors' names, shapes and units, for model.json."""
    small = ["B", f"H/{ab_stride}", f"W/{ab_stride}"]
    return {
        "inputs": {signature.LIGHTNESS: {"dtype": "float32", "shape": ["B", "H", "W", 1], "unit": "L*, 0..100"}},
        "outputs": {
            signature.AB: {"dtype": "float32", "shape": [*small, 2], "unit": "CIE a*, b*"},
            signature.CONFIDENCE: {"dtype": "float32", "shape": [*small, 1], "unit": "0..1"},
        },
        "size_step": signature.SIZE_STEP,
    }


def compute_in_float32(model: keras.Model) -> None:
    """Sets the dtype policy of a model and of all layers in it, the backbone's too."""
    # Weights are float32 in any policy. Rebuilding the model would lose layers that Keras adds to some networks with
    # ImageNet weights only (a Rescaling in EfficientNet B0 to B7).
    for layer in _layers(model):
        layer.dtype_policy = "float32"


def _layers(layer: keras.Layer) -> Iterator[keras.Layer]:
    """Yields a layer and those within it."""
    yield layer
    parts = (layer.network, layer.features) if isinstance(layer, Backbone) else getattr(layer, "layers", ())
    for part in parts:
        yield from _layers(part)


def _check_same(served: Served, saved: Any, image_size: int, tolerance: float) -> None:
    """Raises PhotochromError if the SavedModel's outputs differ from those of the model in memory, at two shapes."""
    for height, width in ((image_size, image_size), (2 * signature.SIZE_STEP, 3 * signature.SIZE_STEP)):
        lightness = tf.constant(np.random.default_rng(0).uniform(0, 100, (2, height, width, 1)), tf.float32)
        expected = served(lightness)
        answered = saved.signatures[signature.NAME](**{signature.LIGHTNESS: lightness})
        for name in _OUTPUTS:
            difference = float(np.max(np.abs(expected[name] - answered[name])))
            if not difference <= tolerance:
                raise errors.PhotochromError(
                    f"the exported model differs from the trained one by {difference} in {name} at {width}x{height} "
                    f"px, at most {tolerance} was expected; no bundle was written, the checkpoints remain"
                )
