"""Training on several hosts, as TF_CONFIG lists them: who is who, and what all of them agree on.

Each host runs the same command on the same dataset, with MODEL_DIR on a file system that all of them see. Worker 0 is
the chief: it alone writes there. All take part in each step, read their own rows of its batch, and end with the same
weights.
"""

import hashlib
import json
import os
import pathlib

import keras
import numpy as np
import tensorflow as tf

from photochrom import errors
from trainer.data.stream import TrainStream

_VARIABLE = "TF_CONFIG"
# Folder below MODEL_DIR where the others write what each host has to write.
_WORKERS = ".workers"


def is_several() -> bool:
    """Says whether this process is one of several hosts."""
    return _VARIABLE in os.environ


def index() -> int:
    """Returns this host's number, 0 for the chief and where there is only one.

    Raises:
        UsageError: TF_CONFIG does not list workers, or does not say which this one is.
    """
    if not is_several():
        return 0
    try:
        config = json.loads(os.environ[_VARIABLE])
        workers, task = config["cluster"]["worker"], config["task"]
        if task["type"] != "worker" or not 0 <= int(task["index"]) < len(workers):
            raise ValueError(f"task {task} of {len(workers)} workers")
        return int(task["index"])
    except (ValueError, KeyError, TypeError) as error:
        raise errors.UsageError(
            f"{_VARIABLE} is {os.environ[_VARIABLE]}: {type(error).__name__}: {error}; expected "
            '{"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}'
        ) from error


def own_folder(model_dir: pathlib.Path) -> pathlib.Path:
    """Returns where this host writes: the chief to MODEL_DIR, each other host to a folder that nobody reads."""
    return model_dir / _WORKERS / str(index()) if index() else model_dir


def distribute(strategy: tf.distribute.Strategy, stream: TrainStream, step: int) -> tf.distribute.DistributedDataset:
    """Returns the stream from `step` on: each batch is shared out to all devices of all hosts."""
    if not is_several():
        return strategy.experimental_distribute_dataset(stream.batches(step))
    on_device = stream.batch_size // strategy.num_replicas_in_sync

    def on_host(context: tf.distribute.InputContext) -> tf.data.Dataset:
        rows = stream.batches(step, context.input_pipeline_id, context.num_input_pipelines)
        return rows.unbatch().batch(on_device, drop_remainder=True)

    return strategy.distribute_datasets_from_function(on_host)


def mean(strategy: tf.distribute.Strategy, value: float) -> float:
    """Returns the mean of the hosts' values, on each of them; the value itself where there is one host."""
    if not is_several():
        return value
    values = strategy.run(tf.identity, args=(tf.constant(value, tf.float32),))
    return float(strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None))


def digest_weights(model: keras.Layer) -> str:
    """Returns the SHA-256 over all weights of a model or a layer, hex."""
    total = hashlib.sha256()
    for variable in model.variables:
        total.update(np.ascontiguousarray(variable.numpy()).tobytes())
    return total.hexdigest()
