"""The training loop on a tiny model, op by op."""

import dataclasses
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from photochrom import errors
from trainer.config import TrainConfig
from trainer.data.dataset import Dataset
from trainer.data.stream import TrainStream, validation_batches
from trainer.model import build
from trainer.training import loop, phases, stopping
from trainer.training.checkpoints import Checkpoints

pytestmark = pytest.mark.job  # whole jobs or trainings


class _Recorder:
    """A report that records its calls."""

    def __init__(self):
        self.phases, self.steps, self.validations, self.pictured = [], [], [], []

    def begin(self, phase):
        self.phases.append(phase)

    def train(self, step, objective, values):
        self.steps.append(step)

    def validation(self, step, objective, values, best):
        self.validations.append((step, best))

    def pictures(self, step, batch, outputs):
        self.pictured.append(step)


@pytest.fixture
def make_trainer(dataset, tmp_path, eagerly):
    """Makes the trainer of a tiny model, with a recorder as report."""

    def make(**settings):
        quick = {"batch_size": 4, "steps": 5, "fine_tune_steps": 0, "confidence_steps": 0, "eval_every": 99}
        config = TrainConfig(data="", model_dir="", **{**quick, **settings})
        keras.utils.set_random_seed(1)
        model, opened = build.build_model(build.Shape(4, 4, 2)), Dataset(dataset)
        stages = phases.make_phases(config, model, TrainStream(opened, 4, 4, 0))
        checkpoints = Checkpoints(tmp_path, model, [phase.optimizer for phase in stages])
        return loop.Trainer(
            config,
            tf.distribute.get_strategy(),
            model,
            stages,
            checkpoints,
            validation_batches(opened, 4, 4),
            _Recorder(),
            stopping.StopRequest(),
        )

    return make


def _saved(folder):
    return [
        path.rpartition("-")[2] for path in tf.train.get_checkpoint_state(folder / "latest").all_model_checkpoint_paths
    ]


def test_trainer_evaluates_and_saves_on_schedule(make_trainer, tmp_path):
    trainer = make_trainer(steps=5, eval_every=2, checkpoint_every=3)
    trainer.run()
    assert trainer.report.steps == [1, 2, 3, 4, 5]
    assert [step for step, _ in trainer.report.validations] == [2, 4, 5] == trainer.report.pictured
    assert _saved(tmp_path)[0] == "3"
    assert int(trainer.checkpoints.phase) == 3


def test_trainer_continues_in_recorded_phase(make_trainer):
    trainer = make_trainer(steps=3, fine_tune_steps=2)
    trainer.checkpoints.phase.assign(1)
    trainer.checkpoints.step.assign(3)
    trainer.run()
    assert trainer.report.phases == ["fine-tuning"]
    assert trainer.report.steps == [4, 5]


def test_trainer_saves_checkpoint_when_terminated(make_trainer, tmp_path):
    trainer = make_trainer()
    trainer.report.train = lambda step, *values: os.kill(os.getpid(), signal.SIGTERM) if step == 2 else None
    with (
        trainer.stop,
        pytest.raises(errors.PhotochromError, match="stopped by SIGTERM after step 2; the same command continues"),
    ):
        trainer.run()
    assert tf.train.latest_checkpoint(tmp_path / "latest").endswith("ckpt-2")


def test_trainer_keeps_good_checkpoint_on_nan(make_trainer, tmp_path):
    trainer = make_trainer(steps=6, checkpoint_every=3)
    first, calls = trainer.phases[0], []

    def fail_at_step_5(batch):
        calls.append(batch)
        factor = float("nan") if len(calls) == 5 else 1.0
        return {name: factor * value for name, value in first.forward(batch).items()}

    trainer.phases[0] = dataclasses.replace(first, forward=fail_at_step_5)
    with pytest.raises(errors.PhotochromError, match=r"stopped at step 5: loss is nan, .*latest/ckpt-3"):
        trainer.run()
    reader = tf.train.load_checkpoint(tmp_path / "latest")
    values = [reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if "_OBJECT" not in name]
    assert all(np.isfinite(value).all() for value in values if value.dtype == np.float32 and value.ndim)


@pytest.mark.parametrize(
    ("patience", "losses", "steps"),
    [
        (2, [1, 1, 1, 1, 1], 3),  # best at 1, no better at 2 and 3
        (2, [3, 4, 2, 5, 6], 5),  # an improvement resets the count
        (0, [1, 1, 1, 1, 1], 5),  # never ends early
    ],
)
def test_trainer_ends_phase_without_improvement(make_trainer, patience, losses, steps):
    trainer = make_trainer(steps=5, patience=patience, eval_every=1)
    remaining = iter(losses)
    trainer.evaluate = lambda: {"loss": float(next(remaining))}
    trainer.run()
    assert trainer.report.steps[-1] == steps


def test_evaluation_averages_over_photographs(make_trainer):
    trainer = make_trainer()
    measures = trainer.evaluate()
    assert measures["examples"] == 4
    assert measures["chroma"] == 0  # untrained
    assert measures["true_chroma"] > 20
