"""Checkpoints of a run's full state, and the record of which run a folder belongs to."""

import contextlib
import json
import pathlib
from typing import Any

import keras
import tensorflow as tf

from photochrom import errors
from photochrom.storage import plain_path

_RUN = "run.json"
_LATEST, _BEST = "latest", "best"


def claim(model_dir: pathlib.Path, identity: dict[str, Any]) -> None:
    """Records `model_dir` as this run's folder, or checks that it is already.

    Args:
        model_dir: the run's folder; made if missing.
        identity: all settings and inputs that change what the run computes, serializable as JSON.

    Raises:
        UsageError: the folder belongs to a run that computes something else.
    """
    identity = json.loads(json.dumps(identity))  # with the types that it has when it is read again
    file = model_dir / _RUN
    if not file.exists():
        model_dir.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(identity, indent=2) + "\n")
        return
    there = json.loads(file.read_text())
    differing = [name for name in {**there, **identity} if there.get(name) != identity.get(name)]
    if differing:
        theirs, ours = (", ".join(f"{name} {run.get(name)}" for name in differing) for run in (there, identity))
        raise errors.UsageError(f"{model_dir} holds a run with {theirs}; this one has {ours}: give another --model_dir")


class Checkpoints:
    """The run's state, as variables, and its checkpoints.

    Attributes (scalar tf.Variables):
        step: steps done, over all phases; with the seed it determines the position in the data.
        phase: index of the current phase; the number of phases once all are done.
        best_loss: the lowest validation loss so far, of the current phase's objective.
        stale: evaluations in this phase since `best_loss` improved.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        model: keras.Model,
        optimizers: list[keras.optimizers.Optimizer],
        own_folder: pathlib.Path | None = None,
    ):
        """Args: folder: where checkpoints are read from. own_folder: where they are written, if different."""
        self._opened = contextlib.ExitStack()
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.phase = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.best_loss = tf.Variable(float("inf"), trainable=False)
        self.stale = tf.Variable(0, dtype=tf.int64, trainable=False)
        state = tf.train.Checkpoint(
            model=model,
            optimizers=optimizers,
            step=self.step,
            phase=self.phase,
            best_loss=self.best_loss,
            stale=self.stale,
        )
        # The manager renames its index last: a kill while writing leaves the previous checkpoint.
        self._shown = str(folder)
        self._folder, own = self._plain(folder), self._plain(own_folder or folder)
        self._latest = tf.train.CheckpointManager(state, f"{own}/{_LATEST}", max_to_keep=2)
        self._best = tf.train.CheckpointManager(tf.train.Checkpoint(model=model), f"{own}/{_BEST}", max_to_keep=1)

    def _plain(self, folder: pathlib.Path) -> str:
        """Returns a path of a folder that TensorFlow does not take for a pattern, as long as this object exists."""
        folder.mkdir(parents=True, exist_ok=True)
        return self._opened.enter_context(plain_path.plain(str(folder)))

    def restore(self) -> bool:
        """Continues from the latest checkpoint; returns whether there was one."""
        return self._restore(self._latest.checkpoint, _LATEST)

    def save(self) -> None:
        """Writes a checkpoint of the current state."""
        self._latest.save(self.step.numpy())

    @property
    def latest(self) -> str:
        """Path of the latest checkpoint, for messages."""
        found = tf.train.latest_checkpoint(f"{self._folder}/{_LATEST}")
        return found.replace(self._folder, self._shown, 1) if found else "none"

    def keep_if_best(self, loss: float) -> bool:
        """Saves the weights if their validation loss is the lowest so far; returns whether it is."""
        if loss >= float(self.best_loss.numpy()):
            self.stale.assign_add(1)
            return False
        self.best_loss.assign(loss)
        self.stale.assign(0)
        self._best.save(self.step.numpy())
        return True

    def finish_phase(self, changes_loss: bool) -> None:
        """Restores the best weights and advances to the next phase, whose objective may be another loss."""
        self._restore(self._best.checkpoint, _BEST)
        self.phase.assign_add(1)
        self.stale.assign(0)
        if changes_loss:
            self.best_loss.assign(float("inf"))
        self.save()

    def _restore(self, checkpoint: tf.train.Checkpoint, name: str) -> bool:
        path = tf.train.latest_checkpoint(f"{self._folder}/{name}")
        if path is None:
            return False
        try:
            checkpoint.restore(path).assert_existing_objects_matched()
        except (tf.errors.OpError, AssertionError, IndexError, ValueError) as error:
            said = str(error).strip().splitlines()[0]
            raise errors.UsageError(
                f"checkpoint {path} does not fit this model or is damaged: {said}".replace(self._folder, self._shown)
            ) from error
        return True
