"""Warm start from a finished bundle (--init): takes over its shape, then its weights."""

import dataclasses

import keras
import tensorflow as tf

from photochrom import errors
from photochrom.model import bundle
from trainer.config import TrainConfig
from trainer.data.dataset import Dataset
from trainer.model import heads

# Settings that determine the shapes of a bundle's weights.
_SHAPE = ("backbone", "width", "decoder_width", "head")


def adopt_shape(config: TrainConfig, start: bundle.Bundle, dataset: Dataset) -> TrainConfig:
    """Returns the settings with the bundle's shape.

    Raises:
        UsageError: the dataset does not fit the bundle, or the bundle lacks settings that this version writes.
    """
    for name in ("image_size", "ab_stride"):
        theirs, ours = getattr(start, name), getattr(dataset, name)
        if theirs != ours:
            raise errors.UsageError(
                f"--init {config.init} was trained at {name} {theirs}, the dataset {config.data} has {ours}; "
                f"prepare it with --{name}={theirs}"
            )
    shape = {name: start.info.get("settings", {}).get(name) for name in _SHAPE}
    missing = [name for name, value in shape.items() if value is None]
    if missing:
        raise errors.UsageError(
            f"--init {config.init} does not say its {', '.join(missing)}; expected a bundle that "
            "`photochrom train` of this version wrote"
        )
    return dataclasses.replace(config, **shape)


def load_weights(model: keras.Model, start: bundle.Bundle) -> None:
    """Loads the bundle's weights into a model, and resets the saturation factor to 1, its value during training.

    Raises:
        UsageError: the weights do not fit.
    """
    try:
        checkpoint = tf.train.Checkpoint(model=model)
        checkpoint.read(f"{start.saved_model}/variables/variables").assert_existing_objects_matched()
    except (tf.errors.OpError, AssertionError, ValueError) as error:
        raise errors.UsageError(
            f"--init {start.path} does not fit the network of this version: {str(error).strip().splitlines()[0]}"
        ) from error
    model.get_layer(heads.SATURATION).factor.assign(1.0)
