"""Whether dataset, bundle and settings fit one another: all misfits in one message, before TensorFlow is loaded."""

import json
from collections.abc import Iterator, Sequence

from photochrom import dataset, errors
from photochrom.dataset import DatasetInfo
from photochrom.model.bundle import Bundle
from photochrom.storage import files
from trainer.config import TrainConfig

# Settings that determine the shapes of a bundle's weights.
SHAPE = ("backbone", "width", "decoder_width", "head")


def read_info(folder: str) -> DatasetInfo:
    """Returns the description of a dataset, of any scheme.

    Raises:
        UsageError: there is none, or it is broken.
    """
    try:
        return DatasetInfo.from_json(json.loads(files.read_bytes(files.join(folder, dataset.INFO))), folder)
    except errors.UsageError:
        raise
    except OSError as error:
        raise errors.UsageError(
            f"{folder} is no complete dataset: {dataset.INFO} is missing; expected a folder that `photochrom prepare` "
            "wrote"
        ) from error
    except (ValueError, RecursionError) as error:
        raise errors.UsageError(f"{folder} is no dataset that can be read: {error}") from error


def check_training(config: TrainConfig, starts: Sequence[Bundle] = (), teachers: Sequence[Bundle] = ()) -> None:
    """Checks that --data, the bundles of --init and --teacher, and the settings of a run fit one another.

    Raises:
        UsageError: names everything that does not fit.
    """
    info = read_info(config.data)
    misfits = [
        *_of_sizes(config, info),
        *(misfit for start in starts for misfit in _of_start(start, info)),
        *_of_shapes(starts),
        *(misfit for teacher in teachers for misfit in _of_size(teacher, "ab_stride", info)),
        *_of_counts(config, info),
        *(_of_unlabelled(config.unlabelled, info) if config.unlabelled else ()),
    ]
    if misfits:
        bundles = [f"--init {path}" for path in config.init] + [f"--teacher {path}" for path in config.teacher]
        bundles += [f"--unlabelled {config.unlabelled}"] if config.unlabelled else []
        raise errors.UsageError(f"{' and '.join([f'--data {config.data}', *bundles])} do not fit: {'; '.join(misfits)}")


def _of_sizes(config: TrainConfig, info: DatasetInfo) -> Iterator[str]:
    if config.image_size not in (0, info.image_size):
        yield f"--image_size is {config.image_size}, the dataset was prepared at {info.image_size}"


def _of_start(start: Bundle, info: DatasetInfo) -> Iterator[str]:
    for name in ("image_size", "ab_stride"):
        yield from _of_size(start, name, info)
    missing = [name for name, value in _shape(start).items() if value is None]
    missing += [name for name in ("backbone_weights", "licences") if name not in start.info]
    if missing:
        yield f"{start.path} does not state its {', '.join(missing)}, take one that `photochrom train` wrote"


def _of_size(bundle: Bundle, name: str, info: DatasetInfo) -> Iterator[str]:
    theirs, ours = getattr(bundle, name), getattr(info, name)
    if theirs != ours:
        yield f"{bundle.path} was trained at {name} {theirs}, the dataset has {ours}, prepare it with --{name}={theirs}"


def _of_shapes(starts: Sequence[Bundle]) -> Iterator[str]:
    for start in starts[1:]:
        if _shape(start) != _shape(starts[0]):
            yield (
                f"{start.path} has {_shape(start)}, {starts[0].path} has {_shape(starts[0])}, only weights of equal "
                "networks have a mean"
            )


def _shape(start: Bundle) -> dict[str, object]:
    return {name: start.info.get("settings", {}).get(name) for name in SHAPE}


def _of_counts(config: TrainConfig, info: DatasetInfo) -> Iterator[str]:
    examples = info.split("train").examples
    if examples < config.batch_size:
        yield f"--batch_size is {config.batch_size}, the train split has {examples} photographs"
    if not info.split("validation").examples:
        yield "the dataset has no photographs in its validation split, at least 1 is needed"
    if config.cached_features and not info.embedding:
        yield "--cached_features is given, the dataset has none: run the same `photochrom prepare` with --embed"


def _of_unlabelled(folder: str, info: DatasetInfo) -> Iterator[str]:
    unlabelled = read_info(folder)
    for name in ("image_size", "ab_stride", "compression"):
        theirs, ours = getattr(unlabelled, name), getattr(info, name)
        if theirs != ours:
            yield f"{folder} has {name} {theirs}, --data has {ours}, prepare it with --{name}={ours}"
    if not unlabelled.split("train").examples:
        yield f"{folder} has no photographs in its train split"


def check_evaluation(info: DatasetInfo, folder: str, split: str, image_size: int) -> None:
    """Checks that a split of a dataset can be evaluated at a size, px.

    Raises:
        UsageError: names everything that does not fit.
    """
    misfits = []
    if not info.split(split).examples:
        has = ", ".join(f"{name} ({part.examples})" for name, part in info.splits.items())
        misfits.append(f"has no photographs in its {split} split; it has {has}")
    if info.image_size != image_size:
        misfits.append(
            f"has pictures of {info.image_size} px, the model would be evaluated at {image_size} px; "
            f"give --image_size={info.image_size}, or the photographs themselves"
        )
    if misfits:
        raise errors.UsageError(f"--data {folder} {', and '.join(misfits)}")
