"""`photochrom features`: a pretrained network -> a features bundle.

`photochrom prepare --embed BUNDLE` runs it over the training records, so that `photochrom train --cached_features` does
not compute the constant features of a frozen network again.
"""

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from photochrom import errors, settings
from photochrom.settings import setting
from photochrom.storage import files
from trainer.config import TrainConfig

if TYPE_CHECKING:
    from photochrom.model.bundle import Bundle

_SAME = {field.name: field for field in dataclasses.fields(TrainConfig)}


def _like_training(name: str, default: Any) -> Any:
    metadata = _SAME[name].metadata
    return setting(metadata["help"], default, group="network")


@dataclasses.dataclass(frozen=True)
class FeaturesConfig:
    """Settings of `photochrom features`: the network, as for `photochrom train`, and the folder of its bundle."""

    output: str = setting("local folder of the bundle; must not exist", group="input and output", metavar="DIR")
    backbone: str = _like_training("backbone", _SAME["backbone"].default)
    backbone_weights: str = _like_training("backbone_weights", "imagenet")
    backbone_weights_sha256: str = _like_training("backbone_weights_sha256", "")


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of `photochrom features`."""
    return settings.parser(
        "features",
        __doc__,
        "example:\n  photochrom features --backbone EfficientNetLite0 --output lite0\n"
        "  photochrom prepare --input photographs/ --output lab --embed lite0\n"
        "  photochrom train --data lab --model_dir run --backbone EfficientNetLite0 --cached_features",
        FeaturesConfig,
    )


def run(argv: Sequence[str] | None = None) -> "Bundle":
    """Writes the bundle and returns it.

    Raises:
        UsageError: a setting does not fit; nothing was written.
    """
    config = settings.from_flags(FeaturesConfig, build_parser().parse_args(argv))
    from photochrom.jobs import tensorflow_setup  # TensorFlow takes seconds to import: flags are checked first

    tensorflow_setup.import_tensorflow()
    from trainer.model import backbones, weights
    from trainer.training import features_bundle

    backbones.check_name(config.backbone)
    if config.backbone == "none":
        raise errors.UsageError("--backbone is none, which has no features; expected the name of a network")
    if not files.is_local(config.output):
        raise errors.UsageError(
            f"--output is {config.output}, expected a local folder; copy it to the bucket when it is finished"
        )
    if pathlib.Path(config.output).exists():
        raise errors.UsageError(f"--output {config.output} exists already; choose a new folder")
    files.check_writable(str(pathlib.Path(config.output).parent))
    found = weights.fetch(config.backbone_weights, config.backbone, config.backbone_weights_sha256)
    made = features_bundle.export(
        weights.load_backbone(config.backbone, found), pathlib.Path(config.output), found.title
    )
    print(f"{config.output}: features of {config.backbone} with weights {made.info['weights_digest']}")
    return made


if __name__ == "__main__":
    from photochrom import cli

    sys.exit(cli.end(cli.call(run)))
