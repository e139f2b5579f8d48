"""Phases of a training run: their order, and the variables, stream and optimizer of each."""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from photochrom.model import signature
from trainer.config import TrainConfig
from trainer.data.cached_features import CachedFeatures
from trainer.data.stream import MAPS, TrainStream
from trainer.model import heads
from trainer.model.build import colour_branch, uncertainty_branch, without_backbone
from trainer.training import losses

# Share of the peak rate at both ends of a phase, and the share of a phase that warms up.
_FINAL_RATE = 0.01
_WARM_UP = 0.05
# Limit of the norm of a step's gradients, as one vector: about ten times the usual norm.
_GRADIENT_NORM = 100.0

Forward = Callable[[dict[str, Any]], dict[str, tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class Phase:
    """A part of training with its own variables and learning rate.

    Attributes:
        name: as the log states it.
        steps: its length.
        stream: source of the batches.
        forward: a batch -> the model's outputs.
        variables: the trained variables.
        optimizer: updates them.
        objective: name of the loss that is minimised.
    """

    name: str
    steps: int
    stream: TrainStream
    forward: Forward
    variables: list[keras.Variable]
    optimizer: keras.optimizers.Optimizer
    objective: str = losses.COLOUR

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Replaces the trained variables by their moving averages while the body runs, if the optimizer has any."""
        if not self.optimizer.use_ema or not self.steps_done:
            yield
            return
        latest = [variable.numpy() for variable in self.variables]
        self.optimizer.finalize_variable_values(self.variables)
        try:
            yield
        finally:
            for variable, values in zip(self.variables, latest, strict=True):
                variable.assign(values)

    @property
    def steps_done(self) -> int:
        """Steps of this phase so far; part of the optimizer's checkpoint."""
        return int(keras.ops.convert_to_numpy(self.optimizer.iterations))


def make_phases(
    config: TrainConfig, model: keras.Model, stream: TrainStream, features: CachedFeatures | None = None
) -> list[Phase]:
    """Returns the phases: all but the backbone; its upper layers too; for `regression` the uncertainty branch alone.

    Args:
        config: the run's settings.
        model: of trainer.model.build.build_model.
        stream: of the batches.
        features: the frozen backbone's features of the training records, where they are cached.
    """
    colours = colour_branch(model)
    own, upper = _split_variables(model, colours, config.fine_tune_share)
    frozen = dataclasses.replace(stream, features=features)
    steps, tuning_steps = config.steps, config.fine_tune_steps
    rate, tuning_rate = config.learning_rate, config.fine_tune_learning_rate
    phases = [
        Phase("backbone frozen", steps, frozen, _forward(colours, frozen), own, _optimizer(config, steps, rate, own)),
        Phase(
            "fine-tuning",
            tuning_steps,
            stream,
            _forward(colours, stream, training=not config.freeze_batch_norm),
            own + upper,
            _optimizer(config, tuning_steps, tuning_rate, own + upper),
        ),
    ]
    if config.head == heads.REGRESSION:
        phases.append(_uncertainty_phase(config, model, stream.labelled()))
    return phases


def _split_variables(
    model: keras.Model, colours: keras.Model, share: float
) -> tuple[list[keras.Variable], list[keras.Variable]]:
    """Returns the trainable variables outside of the backbone, and those of the backbone's upper layers."""
    backbone = next((layer for layer in model.layers if layer.name == "backbone"), None)
    if backbone is None:
        return colours.trainable_variables, []
    inside = {id(variable) for variable in backbone.variables}
    own = [variable for variable in colours.trainable_variables if id(variable) not in inside]
    return own, backbone.upper_variables(share)


def _uncertainty_phase(config: TrainConfig, model: keras.Model, stream: TrainStream) -> Phase:
    features, uncertainty = uncertainty_branch(model)
    variables = uncertainty.trainable_variables
    return Phase(
        "confidence",
        config.confidence_steps,
        stream,
        lambda batch: uncertainty(features(batch[signature.LIGHTNESS], training=False), training=True),
        variables,
        _optimizer(config, config.confidence_steps, config.learning_rate, variables),
        losses.UNCERTAINTY,
    )


def _forward(model: keras.Model, stream: TrainStream, training: bool = True) -> Forward:
    if stream.features:
        rest = without_backbone(model)
        return lambda batch: rest([batch[signature.LIGHTNESS], *batch[MAPS]], training=training)
    return lambda batch: model(batch[signature.LIGHTNESS], training=training)


def _optimizer(
    config: TrainConfig, steps: int, rate: float, variables: list[keras.Variable]
) -> keras.optimizers.Optimizer:
    warm_up = math.ceil(_WARM_UP * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        _FINAL_RATE * rate, max(steps - warm_up, 1), _FINAL_RATE, warmup_target=rate, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.AdamW(
        schedule,
        weight_decay=config.weight_decay,
        global_clipnorm=_GRADIENT_NORM,
        use_ema=config.weight_average > 0,
        ema_momentum=config.weight_average,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    optimizer.build(variables)
    return optimizer
