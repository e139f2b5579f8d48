"""Whole runs on a tiny dataset: training, resuming after a kill, several devices, warm start, refused settings."""

import json
import logging
import math
import os
import re
import signal

import numpy as np
import pytest
import tensorflow as tf

from photochrom import errors
from photochrom.color import ab_bins
from photochrom.model import bundle
from tests.support import training, variables
from trainer.training import reporting

pytestmark = pytest.mark.job  # whole jobs or trainings

# One worker makes the run that several tests need.
needs_finished = pytest.mark.xdist_group("finished")


@needs_finished
def test_run_ends_with_bundle(finished, dataset):
    folder, made = finished
    opened = bundle.open_bundle(str(folder / "bundle"))
    assert opened.digest == made.digest
    assert (opened.image_size, opened.ab_stride) == (64, 2)
    assert opened.info["data_digest"] == json.loads((dataset / "dataset_info.json").read_text())["digest"]
    assert opened.info["metrics"]["examples"] == 4
    assert opened.info["steps"] == 12
    metrics = opened.info["metrics"]
    assert metrics["chroma"] == pytest.approx(0.6 * metrics["true_chroma"], rel=1e-3)
    assert "guesses" in (folder / "bundle" / "MODEL_CARD.md").read_text()


@needs_finished
def test_finished_run_is_not_repeated(finished, dataset, caplog):
    folder, made = finished
    with caplog.at_level(logging.INFO):
        assert training.train(dataset, folder).digest == made.digest
    assert "is finished" in caplog.text


@needs_finished
def test_interrupted_run_continues_to_same_weights(finished, dataset, tmp_path, monkeypatch):
    flags = training.argv(dataset, tmp_path)
    report = reporting.Report.train

    def terminate_at_5(self, step, *values):
        return os.kill(os.getpid(), signal.SIGTERM) if step == 5 else report(self, step, *values)

    with monkeypatch.context() as patched, pytest.raises(errors.PhotochromError) as stopped:
        patched.setattr(reporting.Report, "train", terminate_at_5)
        training.train(dataset, tmp_path)
    assert "stopped by SIGTERM after step 5; the same command continues" in str(stopped.value)
    assert tf.train.latest_checkpoint(tmp_path / "checkpoints" / "latest").endswith("ckpt-5")
    # Step 8 comes after the change of phase at 6, the evaluations at 4 and 6, and the checkpoint of step 6; step 11 is
    # in the phase of the uncertainty branch, whose objective is another loss.
    for step in (8, 11):
        assert training.train_in_process(_kill_at(step), flags).returncode == -signal.SIGKILL
        assert not (tmp_path / "bundle").exists()
    resumed = training.train(dataset, tmp_path)
    variables.assert_same(resumed, finished[1])
    assert resumed.info["metrics"] == finished[1].info["metrics"]


def _kill_at(step):
    """Returns code that kills a run at a step."""
    return (
        "import os, signal\nfrom trainer.training import reporting\nkept = reporting.Report.train\n"
        "def train(self, step, *values):\n"
        f"    os.kill(os.getpid(), signal.SIGKILL) if step == {step} else kept(self, step, *values)\n"
        "reporting.Report.train = train"
    )


@pytest.mark.parametrize(("head", "picture_weight"), [("regression", 10.0), ("classification", 1.0)])
def test_training_learns_colours(dataset, tmp_path, head, picture_weight):
    flags = {"steps": 60, "fine_tune_steps": 0, "confidence_steps": 20, "eval_every": 60, "learning_rate": 0.01}
    made = training.train(dataset, tmp_path, **flags, head=head, picture_weight=picture_weight)
    assert made.info["metrics"]["gain"] > 6
    assert made.info["metrics"]["expected_error_off_by"] < 10
    if head == "regression":  # the uncertainty bins have learned
        assert made.info["metrics"]["doubt_loss"] < math.log(len(ab_bins.centres())) - 1


def test_two_devices_train_together(dataset, tmp_path):
    devices = (
        "import tensorflow as tf\ncpu = tf.config.list_physical_devices('CPU')[0]\n"
        "tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)"
    )
    flags = training.argv(dataset, tmp_path, steps=2, fine_tune_steps=0, confidence_steps=1)
    done = training.train_in_process(devices, flags)
    assert done.returncode == 0, done.stderr
    assert "training on /device:CPU:0, /device:CPU:1" in done.stderr
    assert re.findall("phase: (.*)", done.stderr) == ["backbone frozen", "confidence"]
    assert bundle.open_bundle(str(tmp_path / "bundle")).info["metrics"]["gain"] > -1


@needs_finished
def test_other_settings_in_same_folder_are_refused(finished, dataset):
    with pytest.raises(errors.UsageError, match="holds a run with batch_size 4; this one has batch_size 2"):
        training.train(dataset, finished[0], batch_size=2)


def test_refused_flags_leave_no_folder(dataset, tmp_path):
    with pytest.raises(errors.UsageError, match="--backbone is Nothing"):
        training.train(dataset, tmp_path / "run", backbone="Nothing")
    with pytest.raises(errors.UsageError, match="--image_size is 32"):
        training.train(dataset, tmp_path / "run", image_size=32)
    assert not (tmp_path / "run").exists()


@needs_finished
def test_mean_of_bundles_needs_no_step(finished, dataset, tmp_path):
    flags = training.argv(dataset, tmp_path, steps=0, fine_tune_steps=0, confidence_steps=0, validate_on="/0/1$")
    from trainer import train

    made = train.run([*flags, *[f"--init={finished[0] / 'bundle'}"] * 2])
    assert made.info["init"] == f"{finished[1].digest}, {finished[1].digest}"
    assert made.info["metrics"]["examples"] == 1
    before, after = variables.of(finished[1]), variables.of(made)
    for name in (name for name in before if "kernel" in name):
        np.testing.assert_allclose(after[name], before[name], rtol=1e-5, atol=1e-6)


@needs_finished
def test_finished_bundle_is_calibrated_again(finished, dataset, tmp_path):
    from trainer import train

    calibration = {"chroma_exponent": 0.8, "chroma_ratio": 0.9, "subsets": "/([01])/[01]$", "validate_on": "/0/"}
    none = dict.fromkeys(("steps", "fine_tune_steps", "confidence_steps"), 0)
    flags = training.argv(dataset, tmp_path, init=finished[0] / "bundle", **none, **calibration)
    made = train.run([*flags, "--shrink"])
    assert made.info["calibration"]["exponent"] == pytest.approx(0.8)
    assert made.info["calibration"]["mean"] != 1
    assert made.info["metrics"]["examples"] == 2
    assert made.info["metrics"]["chroma"] == pytest.approx(0.9 * made.info["metrics"]["true_chroma"], rel=1e-3)
    # All photographs of the split are reported, calibrated on some of them.
    assert {name: found["photographs"] for name, found in made.info["subsets"].items()} == {"0": 2, "1": 2}
    assert "| 0 | 2 |" in (tmp_path / "bundle" / "MODEL_CARD.md").read_text()


@needs_finished
def test_run_learns_from_unlabelled_photographs(finished, dataset, unlabelled, tmp_path):
    flags = {"teacher": finished[0] / "bundle", "unlabelled": unlabelled, "steps": 2, "confidence_steps": 1}
    made = training.train(dataset, tmp_path, fine_tune_steps=0, **flags)
    assert made.info["unlabelled_digest"] == made.info["data_digest"]  # those of the tests are all equal
    assert made.info["teacher"] == finished[1].digest
    assert math.isfinite(made.info["metrics"]["loss"])


@needs_finished
def test_run_starts_from_bundle(finished, dataset, tmp_path):
    started = tmp_path / "own"
    # The shape is the bundle's, whatever the flags say.
    other = {"width": 32, "head": "classification", "steps": 1, "fine_tune_steps": 0, "confidence_steps": 0}
    made = training.train(dataset, started, init=finished[0] / "bundle", learning_rate=1e-6, **other)
    assert made.info["init"] == finished[1].digest
    assert (made.info["settings"]["width"], made.info["settings"]["head"]) == (8, "regression")
    before, after = variables.of(finished[1]), variables.of(made)
    kernels = [name for name in before if "kernel" in name]
    assert max(np.abs(after[name] - before[name]).max() for name in kernels) < 1e-2
