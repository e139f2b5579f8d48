"""The training loop: steps, evaluations and checkpoints, phase by phase."""

import collections
import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from photochrom import errors
from photochrom.model import signature
from trainer.config import TrainConfig
from trainer.data.cached_features import CachedFeatures
from trainer.data.stream import MAPS, TrainStream
from trainer.model import heads
from trainer.model.build import colouring, doubting, without_backbone
from trainer.training import hosts, losses, reporting, stopping
from trainer.training.checkpoints import Checkpoints

# Of the peak rate, at both ends of a phase, and the share of a phase that warms up.
_FINAL_RATE = 0.01
_WARM_UP = 0.05
# px: neighbours are alike, so calibration looks at one in so many along each axis.
_EVERY = 4
# A step's gradients, as one vector, are at most this long: about ten times what is usual.
_GRADIENT_NORM = 100.0


@dataclasses.dataclass(frozen=True)
class Phase:
    """A stretch of training with its own variables and learning rate.

    Attributes:
        name: for people, in the log.
        steps: how long.
        stream: of the batches.
        forward: a batch -> the model's outputs.
        variables: what is trained.
        optimizer: by which.
        objective: which of the losses is minimised.
    """

    name: str
    steps: int
    stream: TrainStream
    forward: Callable[[dict[str, Any]], dict[str, tf.Tensor]]
    variables: list[keras.Variable]
    optimizer: keras.optimizers.Optimizer
    objective: str = losses.COLOUR

    @property
    def steps_done(self) -> int:
        """Steps of this phase so far; part of the optimizer's checkpoint."""
        return int(keras.ops.convert_to_numpy(self.optimizer.iterations))


def make_phases(
    config: TrainConfig, model: keras.Model, stream: TrainStream, features: CachedFeatures | None = None
) -> list[Phase]:
    """Returns the phases: all but the backbone, then its upper layers too, then, of `regression`, doubt's bins alone.

    Args:
        config: the run's settings.
        model: of trainer.model.build.build_model.
        stream: of the batches.
        features: what the frozen backbone sees, where it need not be computed.
    """
    backbone = next((layer for layer in model.layers if layer.name == "backbone"), None)
    inside = {id(variable) for variable in backbone.variables} if backbone else set()
    colours = colouring(model)
    own = [variable for variable in colours.trainable_variables if id(variable) not in inside]
    upper = backbone.upper_variables(config.fine_tune_share) if backbone else []
    rate, tuning_rate = config.learning_rate, config.fine_tune_learning_rate
    steps, tuning_steps = config.steps, config.fine_tune_steps
    frozen = dataclasses.replace(stream, features=features)
    phases = [
        Phase("backbone frozen", steps, frozen, _forward(colours, frozen), own, _optimizer(config, steps, rate, own)),
        Phase(
            "fine-tuning",
            tuning_steps,
            stream,
            _forward(colours, stream),
            own + upper,
            _optimizer(config, tuning_steps, tuning_rate, own + upper),
        ),
    ]
    return [*phases, _doubt_phase(config, model, stream)] if config.head == heads.REGRESSION else phases


def _doubt_phase(config: TrainConfig, model: keras.Model, stream: TrainStream) -> Phase:
    features, doubt = doubting(model)
    variables = doubt.trainable_variables
    return Phase(
        "confidence",
        config.confidence_steps,
        stream,
        lambda batch: doubt(features(batch[signature.LIGHTNESS], training=False), training=True),
        variables,
        _optimizer(config, config.confidence_steps, config.learning_rate, variables),
        losses.DOUBT,
    )


def _forward(model: keras.Model, stream: TrainStream) -> Callable[[dict[str, Any]], dict[str, tf.Tensor]]:
    if stream.features:
        rest = without_backbone(model)
        return lambda batch: rest([batch[signature.LIGHTNESS], *batch[MAPS]], training=True)
    return lambda batch: model(batch[signature.LIGHTNESS], training=True)


def _optimizer(
    config: TrainConfig, steps: int, rate: float, variables: list[keras.Variable]
) -> keras.optimizers.Optimizer:
    warm_up = math.ceil(_WARM_UP * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        _FINAL_RATE * rate, max(steps - warm_up, 1), _FINAL_RATE, warmup_target=rate, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay, global_clipnorm=_GRADIENT_NORM)
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    optimizer.build(variables)
    return optimizer


def make_train_step(
    strategy: tf.distribute.Strategy, phase: Phase, config: TrainConfig
) -> Callable[[Any], dict[str, tf.Tensor]]:
    """Returns the compiled step: a (distributed) batch -> means over it, scalars by name."""

    def replica_step(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            outputs = phase.forward(batch)
            terms = losses.losses(batch, outputs, config.rebalance, config.picture_weight)
            # Keras adds up the replicas' gradients.
            objective = tf.reduce_mean(terms[phase.objective]) / strategy.num_replicas_in_sync
        gradients = tape.gradient(objective, phase.variables)
        phase.optimizer.apply(gradients, phase.variables)
        means = {name: tf.reduce_mean(values) for name, values in terms.items()}
        return {**means, "gradient_norm": tf.linalg.global_norm(gradients)}

    @tf.function
    def train_step(batch: Any) -> dict[str, tf.Tensor]:
        per_replica = strategy.run(replica_step, args=(batch,))
        return {name: strategy.reduce("MEAN", values, axis=None) for name, values in per_replica.items()}

    return train_step


@dataclasses.dataclass
class Trainer:
    """Takes a model through its phases; the fields are what it works with, made and checked elsewhere."""

    config: TrainConfig
    strategy: tf.distribute.Strategy
    model: keras.Model
    phases: list[Phase]
    checkpoints: Checkpoints
    validation: tf.data.Dataset
    report: reporting.Report
    stop: stopping.StopRequest

    def __post_init__(self) -> None:
        self._predict = tf.function(lambda lightness: self.model(lightness, training=False))

    def run(self) -> None:
        """Trains from where the checkpoints stand to the end; the model then has its best weights.

        Raises:
            PhotochromError: the loss is no number, or a signal asked to stop.
        """
        left = self.phases[int(self.checkpoints.phase.numpy()) :]
        for phase, following in itertools.pairwise([*left, *left[-1:]]):
            self._run_phase(phase)
            self.checkpoints.finish_phase(following.objective != phase.objective)

    def _run_phase(self, phase: Phase) -> None:
        if phase.steps_done == phase.steps:
            return
        self.report.begin(phase.name)
        train_step = make_train_step(self.strategy, phase, self.config)
        batches = iter(hosts.distribute(self.strategy, phase.stream, int(self.checkpoints.step.numpy())))
        while phase.steps_done < phase.steps and not self._lost_patience():
            measures = {name: float(value) for name, value in train_step(next(batches)).items()}
            step = int(self.checkpoints.step.assign_add(1).numpy())
            self._check_finite(measures, step)
            rate = float(phase.optimizer.learning_rate)
            self.report.train(step, phase.objective, {**measures, "learning_rate": rate})
            if step % self.config.eval_every == 0 or phase.steps_done == phase.steps:
                measures = self.evaluate()
                best = self.checkpoints.judge(hosts.mean(self.strategy, measures[phase.objective]))
                self.report.validation(step, phase.objective, measures, best)
            stops = hosts.mean(self.strategy, bool(self.stop.signal)) > 0
            if step % self.config.checkpoint_every == 0 or stops:
                self.checkpoints.save()
            if stops:
                raise errors.PhotochromError(
                    f"stopped by {self.stop.signal or 'another host'} after step {step}; "
                    "the same command continues from there"
                )

    def _lost_patience(self) -> bool:
        return 0 < self.config.patience <= int(self.checkpoints.stale.numpy())

    def _check_finite(self, measures: dict[str, float], step: int) -> None:
        """Finite gradients make finite weights: so no checkpoint can hold anything else."""
        bad = [f"{name} is {value}" for name, value in measures.items() if not math.isfinite(value)]
        if bad:
            raise errors.PhotochromError(
                f"training stopped at step {step}: {', '.join(bad)}; the last good checkpoint is "
                f"{self.checkpoints.latest}; try a lower --learning_rate with another --model_dir"
            )

    def calibrate(self) -> float:
        """Fits, on the validation split, how strong colours are and what doubt says of their errors.

        Returns:
            How far off the error that is then expected of a pixel is on average, ab units.
        """
        saturation = self.model.get_layer(heads.SATURATION).factor
        saturation.assign(1.0)
        measures = self.evaluate()
        if self.config.chroma_ratio and measures["chroma"]:
            saturation.assign(self.config.chroma_ratio * measures["true_chroma"] / measures["chroma"])
        pairs = [self._doubt_and_error(batch) for batch in self.validation]
        doubt, error = np.concatenate(pairs, axis=1)
        scale = self.model.get_layer(heads.ERROR_SCALE)
        scale.fit(doubt, error)
        return float(np.abs(scale(doubt) - error).mean())

    def _doubt_and_error(self, batch: dict[str, tf.Tensor]) -> np.ndarray:
        """Returns [2, n]: how evenly the bins are spread, and the distance from the truth, ab units, of some pixels."""
        outputs = self._predict(batch[signature.LIGHTNESS])
        distance = np.linalg.norm(outputs[signature.AB] - batch[signature.AB], axis=-1)
        pair = np.stack([outputs[heads.DOUBT][..., 0], distance])
        return pair[..., ::_EVERY, ::_EVERY].reshape(2, -1)

    def evaluate(self) -> dict[str, float]:
        """Returns the validation split's mean measures, and `examples`, how many photographs that were.

        Every device would see the same: the first one evaluates, outside of the strategy's replicas.
        """
        sums: collections.Counter[str] = collections.Counter()
        for number, batch in enumerate(self.validation):
            outputs = self._predict(batch[signature.LIGHTNESS])
            terms = losses.losses(batch, outputs, self.config.rebalance, self.config.picture_weight)
            measures = {**terms, **losses.observe(batch, outputs)}
            sums.update({name: float(tf.reduce_sum(values)) for name, values in measures.items()})
            sums["examples"] += len(batch[signature.LIGHTNESS])
            if number == 0:
                self.report.pictures(int(self.checkpoints.step.numpy()), batch, outputs)
        examples = sums.pop("examples")
        return {**{name: total / examples for name, total in sums.items()}, "examples": examples}
