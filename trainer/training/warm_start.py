"""Warm start from finished bundles (--init): takes over their shape, then the mean of their weights."""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from photochrom import errors
from photochrom.model import bundle
from photochrom.storage import plain_path
from trainer import fit
from trainer.config import TrainConfig
from trainer.model import heads


def adopt_shape(config: TrainConfig, starts: Sequence[bundle.Bundle]) -> TrainConfig:
    """Returns the settings with the shape of bundles that passed trainer.fit."""
    return dataclasses.replace(config, **{name: starts[0].info["settings"][name] for name in fit.SHAPE})


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
        with plain_path.plain(start.saved_model) as saved_model:
            checkpoint.read(f"{saved_model}/variables/variables").assert_existing_objects_matched()
    except (tf.errors.OpError, AssertionError, ValueError) as error:
        raise errors.UsageError(
            f"--init {start.path} does not fit the network of this version: {str(error).strip().splitlines()[0]}"
        ) from error
