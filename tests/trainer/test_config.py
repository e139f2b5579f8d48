import subprocess
import sys

import pytest

from photochrom import errors
from trainer import train
from trainer.config import TrainConfig


def test_defaults_fit():
    assert TrainConfig(data="d", model_dir="m").backbone == "InceptionResNetV2"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"batch_size": 0}, "--batch_size is 0, expected at least 1"),
        ({"patience": -1}, "--patience is -1, expected at least 0"),
        ({"learning_rate": 0.0}, "--learning_rate is 0.0, expected above 0 and below 1"),
        ({"rebalance": 1.5}, "--rebalance is 1.5, expected at least 0 and at most 1"),
        ({"steps": 0, "fine_tune_steps": 0}, "--steps is 0, expected above 0 where --fine_tune_steps is 0"),
        ({"chroma_exponent": 0.0}, "--chroma_exponent is 0.0, expected above 0 and at most 2"),
        ({"subsets": "a+"}, r"--subsets 'a\+' has no group, expected one around the subset's name"),
        ({"unlabelled": "gray"}, "--unlabelled needs a --teacher"),
        ({"head": "both"}, "--head is 'both', expected one of regression, classification"),
        ({"name": "a\n"}, "--name is 'a\\\\n', expected printable text of 1 to 200 characters"),
        ({"crop": 100}, "--crop is 100, expected at least 0 and a multiple of 32 px"),
        ({"backbone_weights": "none", "backbone_weights_sha256": "ab"}, "--backbone_weights is none"),
    ],
)
def test_misfits_are_named(changed, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(data="d", model_dir="m", **changed)


def test_bad_flags_are_usage_errors():
    with pytest.raises(errors.UsageError, match="--width is 0"):
        train.run(["--data", "d", "--model_dir", "m", "--width", "0"])
    with pytest.raises(errors.UsageError, match=r"unknown flag '--widht', did you mean --width\?"):
        train.run(["--data", "d", "--model_dir", "m", "--widht", "8"])


def test_parsing_flags_imports_no_tensorflow():
    code = "import sys; from trainer import train; train.build_parser(); sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
