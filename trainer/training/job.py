"""A training run from settings to bundle: checks, wiring, training, export."""

import logging
import pathlib
import shutil
from typing import Any

import keras

from photochrom.dataset import items_prefix, shard_prefix
from photochrom.model import bundle
from trainer.config import TrainConfig
from trainer.data import dataset_copy, key_selection
from trainer.data.cached_features import CachedFeatures
from trainer.data.dataset import Dataset
from trainer.data.dataset_copy import DatasetCopy
from trainer.data.stream import TrainStream, expected_repeats, validation_batches
from trainer.model import backbones, build
from trainer.model.calibrated import Calibration
from trainer.model.weights import Weights, fetch, load_backbone
from trainer.training import (
    calibration,
    features_bundle,
    hosts,
    loop,
    phases,
    promotion,
    reporting,
    stopping,
    warm_start,
)
from trainer.training.checkpoints import Checkpoints, claim
from trainer.training.distillation import Teachers
from trainer.training.export import export_bundle
from trainer.training.run import Run

_log = logging.getLogger("photochrom")


def train(config: TrainConfig) -> bundle.Bundle:
    """Trains, or continues to, the bundle MODEL_DIR/bundle.

    Raises:
        UsageError: a setting or an input does not fit; no step was made.
        PhotochromError: training stopped early; the checkpoints remain.
    """
    run, stream = _check(config)
    claim(run.own_folder, run.identity())
    if run.bundle.exists():
        _log.info("%s is finished", run.bundle)
    else:
        _train(run, stream)
    made = bundle.open_bundle(str(run.bundle))
    if config.promote_if_better and hosts.index() == 0:
        promotion.promote_if_better(made, pathlib.Path(config.promote_if_better), str(run.dataset.folder), run.folder)
    return made


def _check(config: TrainConfig) -> tuple[Run, TrainStream]:
    """Opens and checks the run's inputs; raises UsageError if one does not fit."""
    backbones.check_name(config.backbone)
    if config.promote_if_better:
        promotion.check_current(config.promote_if_better)
    strategy = hosts.choose_strategy(config.batch_size)
    starts, teachers = (tuple(map(bundle.open_bundle, paths)) for paths in (config.init, config.teacher))
    weights = _find_weights(config, starts)
    copy = DatasetCopy(config.data, config.cache_dir, config.cache_gb)
    copy.bring(*dataset_copy.DESCRIPTION)
    dataset = Dataset(copy.folder, config.image_size, config.data)
    if starts:
        config = warm_start.adopt_shape(config, starts)
    copy.bring(*_key_lists(config))
    unlabelled = _open_unlabelled(config)
    # Checks number and sources of the photographs before they are copied.
    stream = _open_stream(config, dataset, unlabelled)
    copy.bring(*map(shard_prefix, ("train", "validation")), *_beside_records(config))
    dataset.files("validation")
    return Run(config, strategy, dataset, starts, teachers, weights, unlabelled), stream


def _open_unlabelled(config: TrainConfig) -> Dataset | None:
    """Opens the dataset of --unlabelled, on this machine."""
    if not config.unlabelled:
        return None
    copy = DatasetCopy(config.unlabelled, config.cache_dir, config.cache_gb)
    copy.bring(*dataset_copy.DESCRIPTION, items_prefix("train"), shard_prefix("train"))
    return Dataset(copy.folder, config.image_size, config.unlabelled)


def _key_lists(config: TrainConfig) -> tuple[str, ...]:
    """Returns the beginnings of the lists of keys that the settings search."""
    splits = {"train": config.source_weights, "validation": config.validate_on or config.subsets}
    return tuple(items_prefix(split) for split, patterns in splits.items() if patterns)


def _beside_records(config: TrainConfig) -> tuple[str, ...]:
    return (dataset_copy.FEATURES,) if config.cached_features else ()


def _open_stream(config: TrainConfig, dataset: Dataset, unlabelled: Dataset | None) -> TrainStream:
    return TrainStream(
        dataset,
        config.batch_size,
        config.shuffle_buffer,
        config.seed,
        config.crop,
        config.film,
        config.mirror,
        expected_repeats(dataset, key_selection.parse_shares(config.source_weights), unlabelled),
        unlabelled=unlabelled,
    )


def _find_weights(config: TrainConfig, starts: tuple[bundle.Bundle, ...]) -> Weights:
    """Returns the backbone's initial weights; a bundle has its own."""
    if starts or config.backbone == "none":
        return Weights("none")
    return fetch(config.backbone_weights, config.backbone, config.backbone_weights_sha256)


def _train(run: Run, stream: TrainStream) -> None:
    """Builds the network, trains it from its latest checkpoint, and writes the bundle."""
    config = run.config
    # bfloat16 has float32's range: no loss scaling.
    keras.config.set_dtype_policy("mixed_bfloat16" if config.mixed_precision else "float32")
    keras.utils.set_random_seed(1 + config.seed)  # at a global seed of 0 tf.data cannot take a tensor as seed
    with run.strategy.scope():
        colorizer = _build(run)
        stages = phases.make_phases(config, colorizer, stream, _features(run, colorizer))
        optimizers = [phase.optimizer for phase in stages]
        checkpoints = Checkpoints(run.folder / "checkpoints", colorizer, optimizers, run.own_folder / "checkpoints")
    _restore(run, colorizer, checkpoints)
    teachers = Teachers(run.teachers, config.teacher_weight) if run.teachers else None
    step, steps = int(checkpoints.step.numpy()), sum(phase.steps for phase in stages)
    with reporting.Report(run.own_folder / "logs", steps, step) as report, stopping.StopRequest() as stop:
        trainer = loop.Trainer(
            config=config,
            strategy=run.strategy,
            model=colorizer,
            phases=stages,
            checkpoints=checkpoints,
            validation=validation_batches(run.dataset, config.batch_size, config.eval_examples, config.validate_on),
            report=report,
            stop=stop,
            teachers=teachers,
            correction=Calibration(config.chroma_exponent) if config.corrects_colours else None,
        )
        trainer.run()
        metrics = {"expected_error_off_by": trainer.calibrate(), **trainer.evaluate()}
        results = {"steps": int(checkpoints.step.numpy()), "metrics": metrics, **_describe_colours(run, trainer)}
    _finish(run, colorizer, trainer.correction, results)


def _describe_colours(run: Run, trainer: loop.Trainer) -> dict[str, Any]:
    """Returns the calibration of a finished model, and its figures on the subsets of the validation split."""
    numbers = trainer.describe_calibration()
    _log.info("calibration: %s", ", ".join(f"{name} {value:.3f}" for name, value in numbers.items()))
    return {"calibration": numbers, **({"subsets": _measure_subsets(run, trainer)} if run.config.subsets else {})}


def _measure_subsets(run: Run, trainer: loop.Trainer) -> dict[str, dict[str, float]]:
    """Returns and logs the figures of a finished model on each subset, also of photographs beyond --validate_on."""
    config = run.config
    batches = validation_batches(run.dataset, config.batch_size, config.eval_examples)
    pattern = key_selection.compile_subsets(config.subsets)
    keys = [key for shard in run.dataset.keys("validation") for key in shard][: config.eval_examples or None]
    names = [key_selection.subset(pattern, key) for key in keys]
    found = calibration.measure_subsets(names, batches, trainer.predict)
    for name, figures in found.items():
        _log.info(
            "%s: %d photographs, %.2f dB over gray in ab, chroma ratio %.2f, median %.2f", name, *figures.values()
        )
    return found


def _features(run: Run, colorizer: keras.Model) -> CachedFeatures | None:
    """Returns the dataset's cached features of the frozen backbone, if the run uses them."""
    if not run.config.cached_features:
        return None
    return run.dataset.cached_features(features_bundle.describe(colorizer.get_layer("backbone")))


def _restore(run: Run, colorizer: keras.Model, checkpoints: Checkpoints) -> None:
    """Restores a new network from the latest checkpoint, or else from the bundle of --init."""
    if checkpoints.restore():
        _log.info("continuing after step %d from %s", checkpoints.step.numpy(), checkpoints.latest)
    elif run.starts:
        warm_start.load_weights(colorizer, run.starts)
        _log.info("starting from %s", ", ".join(f"{start.path}, {start.digest}" for start in run.starts))


def _finish(run: Run, colorizer: keras.Model, correction: Calibration | None, results: dict[str, Any]) -> None:
    """Writes the bundle on the chief; the other hosts wait for it."""
    _log.info("weights have SHA-256 %s", hosts.digest_weights(colorizer))
    if hosts.index() == 0:
        export_bundle(colorizer, run.bundle, {**run.describe(), **results}, correction)
    else:
        shutil.rmtree(run.own_folder)
    hosts.mean(run.strategy, 0.0)


def _build(run: Run) -> keras.Model:
    config = run.config
    backbone = None if config.backbone == "none" else load_backbone(config.backbone, run.weights)
    shape = build.Shape(
        config.width, config.decoder_width, run.dataset.ab_stride, config.head, config.temperature, config.dropout
    )
    return build.build_model(shape, backbone)
