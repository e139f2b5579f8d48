"""`photochrom train`: Lab records -> colorizer.

Trains a decoder on a frozen, pretrained backbone, fine-tunes the backbone's upper third, trains the uncertainty
branch, and writes MODEL_DIR/bundle. The same command resumes a run that was stopped or killed.
"""

import argparse
import sys
from collections.abc import Sequence

from photochrom import errors, settings
from photochrom.model import bundle
from photochrom.storage import files
from trainer import fit
from trainer.config import TrainConfig

_EXAMPLE = """\
example:
  photochrom train --data lab/ --model_dir runs/first --steps 20000 --fine_tune_steps 10000

On a machine without internet give the backbone's weights as a file:
  photochrom train --data lab/ --model_dir runs/first \\
    --backbone_weights inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5
"""


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of `photochrom train`."""
    return settings.parser("train", __doc__, _EXAMPLE, TrainConfig)


def run(argv: Sequence[str] | None = None) -> bundle.Bundle:
    """Trains with the settings of the flags and returns the bundle.

    Raises:
        UsageError: a setting or an input does not fit; no step was made.
        PhotochromError: training stopped early; the checkpoints remain.
    """
    config = settings.from_flags(TrainConfig, build_parser().parse_args(argv))
    fit.check_training(config, *(list(map(bundle.open_bundle, paths)) for paths in (config.init, config.teacher)))
    if files.exists(config.model_dir) and not files.is_folder(config.model_dir):
        raise errors.UsageError(f"--model_dir {config.model_dir} is a file, expected a folder")
    from photochrom.jobs import tensorflow_setup  # TensorFlow takes seconds to import: flags are checked first

    tensorflow_setup.import_tensorflow()
    from trainer.training import job

    return job.train(config)


if __name__ == "__main__":
    from photochrom import cli

    sys.exit(cli.end(cli.call(run)))
