"""Whole runs on a tiny dataset: training, resuming after a kill, stopping early, refusing what does not fit."""

import json
import logging
import math
import os
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from photochrom import errors
from photochrom.color import ab_bins
from photochrom.model import bundle
from tests.support import variables
from trainer import train
from trainer.training import job, loop, losses, reporting

FLAGS = {
    "backbone": "none",
    "width": 8,
    "batch_size": 4,
    "steps": 6,
    "fine_tune_steps": 4,
    "confidence_steps": 2,
    "eval_every": 4,
    "checkpoint_every": 3,
    "chroma_ratio": 0.6,
    "seed": 0,
}
# One worker makes what several tests need.
needs_finished = pytest.mark.xdist_group("finished")


def _argv(dataset, model_dir, **changed):
    flags = {"data": dataset, "model_dir": model_dir, **FLAGS, **changed}
    return [f"--{name}={value}" for name, value in flags.items()]


def _run_in_process(code, argv):
    return subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nfrom photochrom import cli\nfrom trainer import train\n"
         "sys.exit(cli.call(train.run, sys.argv[1:]))", *argv],
        check=False, capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(dataset, tmp_path_factory):
    """An undisturbed run's folder and its bundle."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return folder, train.run(_argv(dataset, folder))


@needs_finished
def test_run_ends_with_a_bundle(finished, dataset):
    folder, made = finished
    opened = bundle.open_bundle(str(folder / "bundle"))
    assert opened.digest == made.digest
    assert (opened.image_size, opened.ab_stride) == (64, 2)
    assert opened.info["data_digest"] == json.loads((dataset / "dataset_info.json").read_text())["digest"]
    assert opened.info["metrics"]["examples"] == 4
    assert opened.info["steps"] == 12
    metrics = opened.info["metrics"]
    assert metrics["chroma"] == pytest.approx(0.6 * metrics["true_chroma"], rel=1e-3)  # as strong as asked
    assert "guesses" in (folder / "bundle" / "MODEL_CARD.md").read_text()


@needs_finished
def test_finished_run_is_not_done_again(finished, dataset, caplog):
    folder, made = finished
    with caplog.at_level(logging.INFO):
        assert train.run(_argv(dataset, folder)).digest == made.digest
    assert "is finished" in caplog.text


@needs_finished
def test_run_killed_twice_continues_to_the_same_weights(finished, dataset, tmp_path):
    argv = _argv(dataset, tmp_path)
    # Step 8 lies behind the change of phase after 6, the evaluations at 4 and 6, and the checkpoint of step 6; in step
    # 11 confidence is learned, which is judged by another loss.
    for at in (8, 11):
        kill = (
            "import os, signal\nfrom trainer import reporting\nkept = reporting.Report.train\n"
            "def train_or_die(self, step, *values):\n"
            f"    os.kill(os.getpid(), signal.SIGKILL) if step == {at} else kept(self, step, *values)\n"
            "reporting.Report.train = train_or_die"
        )
        assert _run_in_process(kill, argv).returncode == -signal.SIGKILL
        assert not (tmp_path / "bundle").exists()
    resumed = train.run(argv)
    variables.assert_same(resumed, finished[1])
    assert resumed.info["metrics"] == finished[1].info["metrics"]


def test_terminated_run_writes_a_checkpoint_and_says_so(dataset, tmp_path, monkeypatch):
    def terminate(self, step, *values):
        if step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(reporting.Report, "train", terminate)
    with pytest.raises(errors.PhotochromError, match="stopped by SIGTERM after step 2; the same command continues"):
        train.run(_argv(dataset, tmp_path))
    assert tf.train.latest_checkpoint(tmp_path / "checkpoints" / "latest").endswith("ckpt-2")


def test_nan_loss_stops_and_keeps_the_last_good_checkpoint(dataset, tmp_path, monkeypatch):
    kept = losses.losses
    calls = tf.Variable(0)

    def fail_at_step_5(batch, outputs, *weights):
        # Evaluations run outside of a compiled step.
        failing = tf.where(calls.assign_add(1) == 5, float("nan"), 1.0) if tf.inside_function() else 1.0
        return {name: failing * loss for name, loss in kept(batch, outputs, *weights).items()}

    monkeypatch.setattr(losses, "losses", fail_at_step_5)
    with pytest.raises(errors.PhotochromError, match=r"stopped at step 5: loss is nan, .*latest/ckpt-3"):
        train.run(_argv(dataset, tmp_path))
    reader = tf.train.load_checkpoint(tmp_path / "checkpoints" / "latest")
    values = [reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if "_OBJECT" not in name]
    assert all(np.isfinite(value).all() for value in values if value.dtype == np.float32 and value.ndim)


def test_lost_patience_ends_a_phase(dataset, tmp_path, monkeypatch):
    names = ("loss", "chroma", "true_chroma", "gain", "examples")
    monkeypatch.setattr(loop.Trainer, "evaluate", lambda self: dict.fromkeys(names, 1.0))
    made = train.run(
        _argv(dataset, tmp_path, steps=50, fine_tune_steps=0, confidence_steps=0, patience=2, eval_every=2)
    )
    assert made.info["steps"] == 6  # best at 2, no better at 4 and 6


@pytest.mark.parametrize(("head", "picture_weight"), [("regression", 10.0), ("classification", 1.0)])
def test_training_learns_the_colours(dataset, tmp_path, head, picture_weight):
    flags = {"steps": 60, "fine_tune_steps": 0, "confidence_steps": 20, "eval_every": 60, "learning_rate": 0.01}
    made = train.run(_argv(dataset, tmp_path, **flags, head=head, picture_weight=picture_weight))
    assert made.info["metrics"]["gain"] > 6
    assert made.info["metrics"]["expected_error_off_by"] < 10
    if head == "regression":  # whose bins for doubt know more than nothing
        assert made.info["metrics"]["doubt_loss"] < math.log(len(ab_bins.centres())) - 1


def test_two_devices_train_in_step(dataset, tmp_path):
    devices = (
        "import tensorflow as tf\ncpu = tf.config.list_physical_devices('CPU')[0]\n"
        "tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)"
    )
    done = _run_in_process(devices, _argv(dataset, tmp_path, steps=2, fine_tune_steps=0, confidence_steps=1))
    assert done.returncode == 0, done.stderr
    assert "training on /device:CPU:0, /device:CPU:1" in done.stderr
    assert re.findall("phase: (.*)", done.stderr) == ["backbone frozen", "confidence"]
    assert bundle.open_bundle(str(tmp_path / "bundle")).info["metrics"]["gain"] > -1


def test_batch_must_divide_among_devices(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind] * 2)
    with pytest.raises(errors.UsageError, match="--batch_size is 3, it does not divide among 2 devices"):
        job.choose_strategy(3)


@needs_finished
def test_other_settings_in_the_same_folder_are_refused(finished, dataset):
    with pytest.raises(errors.UsageError, match="holds a run with batch_size 4; this one has batch_size 2"):
        train.run(_argv(dataset, finished[0], batch_size=2))


def test_nothing_is_left_behind_when_flags_do_not_fit(dataset, tmp_path):
    with pytest.raises(errors.UsageError, match="--backbone is Nothing"):
        train.run(_argv(dataset, tmp_path / "run", backbone="Nothing"))
    with pytest.raises(errors.UsageError, match="--image_size is 32"):
        train.run(_argv(dataset, tmp_path / "run", image_size=32))
    assert not (tmp_path / "run").exists()


@needs_finished
def test_run_starts_from_a_bundle(finished, dataset, tmp_path):
    started = tmp_path / "own"
    # The shape is the bundle's, whatever the flags say.
    other = {"width": 32, "head": "classification", "steps": 1, "fine_tune_steps": 0, "confidence_steps": 0}
    made = train.run(_argv(dataset, started, init=finished[0] / "bundle", learning_rate=1e-6, **other))
    assert made.info["init"] == finished[1].digest
    assert (made.info["settings"]["width"], made.info["settings"]["head"]) == (8, "regression")
    before, after = variables.of(finished[1]), variables.of(made)
    kernels = [name for name in before if "kernel" in name]
    assert max(np.abs(after[name] - before[name]).max() for name in kernels) < 1e-2


@needs_finished
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"image_size": 96}, "was trained at image_size 96, the dataset .* has 64; prepare it with --image_size=96"),
        ({"ab_stride": 4}, "was trained at ab_stride 4, the dataset .* has 2; prepare it with --ab_stride=4"),
        ({"settings": {}}, "does not say its backbone, width, decoder_width, head; expected a bundle"),
        ({"settings": {**FLAGS, "decoder_width": 8, "head": "classification"}}, "does not fit the network"),
    ],
)
def test_bundle_that_does_not_fit_is_refused(finished, dataset, tmp_path, changed, message):
    other = shutil.copytree(finished[0] / "bundle", tmp_path / "bundle")
    info = json.loads((other / "model.json").read_text())
    (other / "model.json").write_text(json.dumps({**info, **changed}))
    with pytest.raises(errors.UsageError, match=message):
        train.run(_argv(dataset, tmp_path / "run", init=other))
