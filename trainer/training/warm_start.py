"""Warm start from finished bundles (--init): takes over their shape, then the mean of their weights."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from photochrom import errors
from photochrom.model import bundle
from trainer.config import TrainConfig
from trainer.data.dataset import Dataset
from trainer.model import heads

# Settings that determine the shapes of a bundle's weights.
_SHAPE = ("backbone", "width", "decoder_width", "head")


def adopt_shape(config: TrainConfig, starts: Sequence[bundle.Bundle], dataset: Dataset) -> TrainConfig:
    """Returns the settings with the bundles' shape.

    Raises:
        UsageError: the dataset does not fit a bundle, a bundle lacks settings that this version writes, or two of
            them differ in their shape.
    """
    shapes = [_shape(start, dataset, config.data) for start in starts]
    for start, shape in zip(starts, shapes, strict=True):
        if shape != shapes[0]:
            raise errors.UsageError(
                f"--init {start.path} has {shape}, --init {starts[0].path} has {shapes[0]}; only weights of equal "
                "networks have a mean"
            )
    return dataclasses.replace(config, **shapes[0])


def _shape(start: bundle.Bundle, dataset: Dataset, data: str) -> dict[str, Any]:
    for name in ("image_size", "ab_stride"):
        theirs, ours = getattr(start, name), getattr(dataset, name)
        if theirs != ours:
            raise errors.UsageError(
                f"--init {start.path} was trained at {name} {theirs}, the dataset {data} has {ours}; "
                f"prepare it with --{name}={theirs}"
            )
    shape = {name: start.info.get("settings", {}).get(name) for name in _SHAPE}
    missing = [name for name, value in shape.items() if value is None]
    if missing:
        raise errors.UsageError(
            f"--init {start.path} does not say its {', '.join(missing)}; expected a bundle that "
            "`photochrom train` of this version wrote"
        )
    return shape


def load_weights(model: keras.Model, starts: Sequence[bundle.Bundle]) -> None:
    """Loads the mean of the bundles' weights, and resets the saturation factor to 1, its value during training.

    Raises:
        UsageError: the weights of a bundle do not fit.
    """
    total = [np.zeros(variable.shape, np.float64) for variable in model.variables]
    for start in starts:
        _load_one(model, start)
        total = [values + variable.numpy() for values, variable in zip(total, model.variables, strict=True)]
    for variable, values in zip(model.variables, total, strict=True):
        variable.assign(values / len(starts))
    model.get_layer(heads.SATURATION).factor.assign(1.0)


def _load_one(model: keras.Model, start: bundle.Bundle) -> None:
    try:
        checkpoint = tf.train.Checkpoint(model=model)
        checkpoint.read(f"{start.saved_model}/variables/variables").assert_existing_objects_matched()
    except (tf.errors.OpError, AssertionError, ValueError) as error:
        raise errors.UsageError(
            f"--init {start.path} does not fit the network of this version: {str(error).strip().splitlines()[0]}"
        ) from error
