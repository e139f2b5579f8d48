"""Devices of one host, or of several hosts that TF_CONFIG lists: the strategy, this host's index, shared values.

Each host runs the same command on the same dataset, with MODEL_DIR on a shared file system. Worker 0 is the chief, the
only one that writes there. All take part in each step, read their own rows of its batch, and end with the same weights.
"""

import hashlib
import json
import logging
import os
import pathlib

import keras
import numpy as np
import tensorflow as tf

from photochrom import errors
from trainer.data.stream import TrainStream

_log = logging.getLogger("photochrom")
_VARIABLE = "TF_CONFIG"
# Folder below MODEL_DIR for files that TensorFlow requires every host to write.
_WORKERS = ".workers"


def is_several() -> bool:
    """Returns whether this process is one of several hosts."""
    return _VARIABLE in os.environ


def index() -> int:
    """Returns this host's index, 0 for the chief and for a single host.

    Raises:
        UsageError: TF_CONFIG does not list workers, or lacks the index of this one.
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
    """Returns the folder this host writes to: MODEL_DIR for the chief, a scratch folder for each other host."""
    return model_dir / _WORKERS / str(index()) if index() else model_dir


def choose_strategy(batch_size: int) -> tf.distribute.Strategy:
    """Returns the strategy that splits a batch over all devices; call it before any other TensorFlow operation.

    Raises:
        UsageError: the batch does not divide among the devices.
    """
    if is_several():
        index()  # states errors in TF_CONFIG, at which TensorFlow would fail or wait
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        _check_divides(batch_size, strategy.num_replicas_in_sync)
        _log.info("training on %d devices, of all hosts", strategy.num_replicas_in_sync)
        return strategy
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    _check_divides(batch_size, len(devices))
    _log.info("training on %s", ", ".join(device.name for device in devices))
    if len(devices) == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def _check_divides(batch_size: int, devices: int) -> None:
    if batch_size % devices:
        raise errors.UsageError(f"--batch_size is {batch_size}, it does not divide among {devices} devices")


def distribute(strategy: tf.distribute.Strategy, stream: TrainStream, step: int) -> tf.distribute.DistributedDataset:
    """Returns the stream from `step` on, each batch split over all devices of all hosts."""
    if not is_several():
        return strategy.experimental_distribute_dataset(stream.batches(step))
    on_device = stream.batch_size // strategy.num_replicas_in_sync

    def on_host(context: tf.distribute.InputContext) -> tf.data.Dataset:
        rows = stream.batches(step, context.input_pipeline_id, context.num_input_pipelines)
        return rows.unbatch().batch(on_device, drop_remainder=True)

    return strategy.distribute_datasets_from_function(on_host)


def mean(strategy: tf.distribute.Strategy, value: float) -> float:
    """Returns the mean of the hosts' values, on each of them; the value itself for a single host."""
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
