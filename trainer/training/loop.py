"""The training loop: steps, evaluations and checkpoints, phase by phase."""

import collections
import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from photochrom import errors
from photochrom.model import signature
from trainer.config import TrainConfig
from trainer.model import heads
from trainer.model.calibrated import Calibration, predict
from trainer.training import calibration, hosts, losses, reporting, stopping
from trainer.training.checkpoints import Checkpoints
from trainer.training.distillation import Teachers
from trainer.training.phases import Phase


def make_train_step(
    strategy: tf.distribute.Strategy, phase: Phase, config: TrainConfig, teachers: Teachers | None = None
) -> Callable[[Any], dict[str, tf.Tensor]]:
    """Returns the compiled step: a (distributed) batch -> means over it, scalars by name."""

    def replica_step(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        if teachers and phase.objective == losses.COLOUR:
            batch = teachers.teach(batch)
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
    """Trains a model through its phases; the fields are made and checked elsewhere."""

    config: TrainConfig
    strategy: tf.distribute.Strategy
    model: keras.Model
    phases: list[Phase]
    checkpoints: Checkpoints
    validation: tf.data.Dataset
    report: reporting.Report
    stop: stopping.StopRequest
    teachers: Teachers | None = None
    correction: Calibration | None = None

    def __post_init__(self) -> None:
        self.predict = tf.function(lambda lightness: predict(self.model, self.correction, lightness))

    def run(self) -> None:
        """Trains from the latest checkpoint to the end; the model then has its best weights.

        Raises:
            PhotochromError: the loss is not finite, or a signal requested a stop.
        """
        left = self.phases[int(self.checkpoints.phase.numpy()) :]
        for phase, following in itertools.pairwise([*left, *left[-1:]]):
            self._run_phase(phase)
            self.checkpoints.finish_phase(following.objective != phase.objective)

    def _run_phase(self, phase: Phase) -> None:
        if phase.steps_done == phase.steps:
            return
        self.report.begin(phase.name)
        train_step = make_train_step(self.strategy, phase, self.config, self.teachers)
        batches = iter(hosts.distribute(self.strategy, phase.stream, int(self.checkpoints.step.numpy())))
        while phase.steps_done < phase.steps and not self._lost_patience():
            measures = {name: float(value) for name, value in train_step(next(batches)).items()}
            step = int(self.checkpoints.step.assign_add(1).numpy())
            self._check_finite(measures, step)
            rate = float(phase.optimizer.learning_rate)
            self.report.train(step, phase.objective, {**measures, "learning_rate": rate})
            if step % self.config.eval_every == 0 or phase.steps_done == phase.steps:
                self._validate(step, phase)
            self._save_or_stop(step)

    def _validate(self, step: int, phase: Phase) -> None:
        with phase.averaged():
            measures = self.evaluate()
            best = self.checkpoints.keep_if_best(hosts.mean(self.strategy, measures[phase.objective]))
        self.report.validation(step, phase.objective, measures, best)

    def _save_or_stop(self, step: int) -> None:
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
        """Raises PhotochromError for a measure that is not finite: no checkpoint then holds weights that are not."""
        bad = [f"{name} is {value}" for name, value in measures.items() if not math.isfinite(value)]
        if bad:
            raise errors.PhotochromError(
                f"training stopped at step {step}: {', '.join(bad)}; the last good checkpoint is "
                f"{self.checkpoints.latest}; try a lower --learning_rate with another --model_dir"
            )

    def calibrate(self) -> float:
        """Calibrates colours and confidence on the validation split.

        Returns:
            The mean deviation of the expected error of a pixel from its error, ab units.
        """
        if self.correction and self.config.shrink:
            calibration.fit_correction(self.model, self.correction, self.validation)
        calibration.set_saturation(self.model, self.config.chroma_ratio, self.evaluate, self.correction)
        return calibration.fit_error_scale(self.model, self.predict, self.validation)

    def describe_calibration(self) -> dict[str, float]:
        """Returns the numbers of the calibration of the colours."""
        saturation = {heads.SATURATION: float(self.model.get_layer(heads.SATURATION).factor.numpy())}
        return self.correction.describe() if self.correction else saturation

    def evaluate(self) -> dict[str, float]:
        """Returns the mean measures over the validation split, and `examples`, the number of its photographs.

        The first device alone evaluates, outside of the strategy's replicas: all devices would compute the same.
        """
        sums: collections.Counter[str] = collections.Counter()
        for number, batch in enumerate(self.validation):
            outputs = self.predict(batch[signature.LIGHTNESS])
            terms = losses.losses(batch, outputs, self.config.rebalance, self.config.picture_weight)
            measures = {**terms, **losses.observe(batch, outputs)}
            sums.update({name: float(tf.reduce_sum(values)) for name, values in measures.items()})
            sums["examples"] += len(batch[signature.LIGHTNESS])
            if number == 0:
                self.report.pictures(int(self.checkpoints.step.numpy()), batch, outputs)
        examples = sums.pop("examples")
        return {**{name: total / examples for name, total in sums.items()}, "examples": examples}
