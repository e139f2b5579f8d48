import json
import pathlib
import subprocess
import sys

import pytest

from photochrom import errors
from photochrom.model.bundle import Bundle
from trainer import fit
from trainer.config import TrainConfig

SETTINGS = {"backbone": "none", "width": 4, "decoder_width": 6, "head": "classification"}
ORIGIN = {"backbone_weights": {"source": "none", "sha256": ""}, "licences": {"code": "Apache-2.0"}}


@pytest.fixture
def folder(tmp_path):
    """A dataset's folder with its description alone."""
    info = {
        "format_version": 1,
        "digest": "sha256:00",
        "settings": {"image_size": 64, "ab_stride": 2},
        "splits": {
            "train": {"examples": 12, "shard_lengths": [12]},
            "validation": {"examples": 4, "shard_lengths": [4]},
            "test": {"examples": 0, "shard_lengths": []},
        },
    }
    (tmp_path / "dataset_info.json").write_text(json.dumps(info))
    return str(tmp_path)


def config(folder, **changed):
    return TrainConfig(**{"data": folder, "model_dir": "run", "batch_size": 4, "init": ("start",), **changed})


def start(**changed):
    return Bundle(pathlib.Path("start"), {"image_size": 64, "ab_stride": 2, "settings": SETTINGS, **ORIGIN, **changed})


def test_fitting_inputs_are_accepted(folder):
    fit.check_training(config(folder), [start(), start()], [start()])
    fit.check_training(config(folder, init=()))
    fit.check_evaluation(fit.read_info(folder), folder, "validation", 64)


@pytest.mark.parametrize(
    ("changed", "of_start", "messages"),
    [
        ({"image_size": 96}, {}, ["--image_size is 96, the dataset was prepared at 64"]),
        ({"batch_size": 16}, {}, ["--batch_size is 16, the train split has 12 photographs"]),
        ({}, {"settings": {}}, ["start does not state its backbone, width, decoder_width, head, take one"]),
        ({}, {"image_size": 96}, ["trained at image_size 96, the dataset has 64, prepare it with --image_size=96"]),
        (
            {"image_size": 128, "batch_size": 16},
            {"image_size": 96, "ab_stride": 4},
            ["--image_size is 128", "image_size 96, the dataset has 64", "ab_stride 4, the dataset has 2", "is 16"],
        ),
    ],
)
def test_all_misfits_are_named_at_once(folder, changed, of_start, messages):
    with pytest.raises(errors.UsageError) as refused:
        fit.check_training(config(folder, **changed), [start(**of_start)])
    assert str(refused.value).startswith(f"--data {folder} and --init start do not fit: ")
    for message in messages:
        assert message in str(refused.value)


def test_teachers_have_to_have_ab_stride(folder):
    with pytest.raises(errors.UsageError, match="was trained at ab_stride 8, the dataset has 2, prepare it with"):
        fit.check_training(config(folder, teacher=("t",)), [start()], [start(ab_stride=8, image_size=96, settings={})])


def test_unlabelled_dataset_has_to_fit(folder, tmp_path):
    other = json.loads((tmp_path / "dataset_info.json").read_text())
    other["settings"] |= {"ab_stride": 4, "compression": "gzip"}
    other["splits"]["train"]["examples"] = 0
    (tmp_path / "gray").mkdir()
    (tmp_path / "gray" / "dataset_info.json").write_text(json.dumps(other))
    with pytest.raises(errors.UsageError) as refused:
        fit.check_training(config(folder, init=(), unlabelled=str(tmp_path / "gray"), teacher=("t",)))
    for message in ("--unlabelled ", "ab_stride 4, --data has 2", "--compression=none", "no photographs in its train"):
        assert message in str(refused.value)


def test_bundles_of_two_shapes_have_no_mean(folder):
    with pytest.raises(errors.UsageError, match="only weights of equal networks have a mean"):
        fit.check_training(config(folder), [start(), start(settings={**SETTINGS, "width": 8})])


def test_cached_features_have_to_be_there(folder):
    with pytest.raises(errors.UsageError, match="--cached_features is given, the dataset has none"):
        fit.check_training(config(folder, init=(), cached_features=True))


def test_unfit_evaluation_names_both_reasons(folder):
    with pytest.raises(errors.UsageError, match=r"has no photographs in its test split; .* of 64 px, the model would"):
        fit.check_evaluation(fit.read_info(folder), folder, "test", 96)


@pytest.mark.parametrize(("text", "message"), [(None, "is no complete dataset"), ("{", "can be read"), ("[]", "read")])
def test_missing_and_broken_descriptions_are_usage_errors(tmp_path, text, message):
    if text is not None:
        (tmp_path / "dataset_info.json").write_text(text)
    with pytest.raises(errors.UsageError, match=message):
        fit.read_info(str(tmp_path))


def test_training_refuses_misfits_before_tensorflow(folder):
    code = (
        "import sys; from photochrom import cli\n"
        "status = cli.main(['train', f'--data={sys.argv[1]}', '--model_dir=m', '--init=default'])\n"
        "sys.exit(status + 10 * ('tensorflow' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "image_size 256" in done.stderr and "ab_stride 4" in done.stderr
