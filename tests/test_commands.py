"""The four commands and the demo through the console script, as a user runs them."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from photochrom import demo
from photochrom.color import cielab, tone

SCRIPT = pathlib.Path(sys.executable).with_name("photochrom")


def photochrom(*argv) -> subprocess.CompletedProcess:
    return subprocess.run([SCRIPT, *map(str, argv)], capture_output=True, text=True, check=False, timeout=300)


def succeeds(*argv) -> str:
    done = photochrom(*argv)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_four_commands_one_after_the_other(tmp_path):
    dataset, model, report, coloured = (tmp_path / name for name in ("dataset", "model", "report", "coloured"))
    samples = [f"--input={demo.SAMPLES / name}" for name in ("colour", "colour-box.zip", "colour-roll.tar.gz")]
    said = succeeds("prepare", *samples, f"--output={dataset}", "--image_size=64", "--split=train=0.7,validation=0.3")
    assert "32 of 32" in said or "of 32 inputs" in said
    assert json.loads((dataset / "dataset_info.json").read_text())["inputs"] == 32

    tiny = (
        "--backbone=none",
        "--width=8",
        "--batch_size=4",
        "--steps=6",
        "--fine_tune_steps=0",
        "--confidence_steps=0",
        "--eval_every=3",
    )
    succeeds("train", f"--data={dataset}", f"--model_dir={model}", *tiny)
    assert {path.name for path in (model / "bundle").iterdir()} == {"saved_model", "model.json", "MODEL_CARD.md"}

    succeeds("evaluate", f"--model={model}/bundle", f"--data={dataset}", f"--output={report}")
    assert {"report.html", "metrics.csv", "summary.json", "sheet.png"} <= {path.name for path in report.iterdir()}

    gray = [f"--input={demo.SAMPLES / name}" for name in ("grayscale", "grayscale-box.zip")]
    said = succeeds("colorize", *gray, f"--model={model}/bundle", f"--output={coloured}")
    assert "9 inputs: 9 done, 0 skipped, 0 failed" in said
    assert len([path for path in (coloured / "images").rglob("*") if path.is_file()]) == 9


def test_colorize_needs_no_model_of_the_users(tmp_path):
    said = succeeds("colorize", f"--input={demo.SAMPLES / 'grayscale'}", f"--output={tmp_path}")
    assert "6 inputs: 6 done, 0 skipped, 0 failed" in said
    for path in (path for path in (tmp_path / "images").rglob("*") if path.is_file()):
        with Image.open(path) as image:
            assert tone.measure(cielab.rgb_to_lab(np.asarray(image.convert("RGB")))).chroma > 3, path


def test_demo_runs_the_whole_workflow(tmp_path):
    said = succeeds("demo", f"--output={tmp_path / 'demo'}", "--steps=4")
    assert (tmp_path / "demo/before-after.png").stat().st_size > 10_000
    assert "9 done" in said and "before-after.png" in said


@pytest.mark.parametrize("command", ["prepare", "train", "evaluate", "colorize", "demo"])
def test_help_names_units_and_defaults(command):
    said = succeeds(command, "--help")
    assert "default:" in said
    assert command == "demo" or "px" in said


@pytest.mark.parametrize(
    ("argv", "status", "message"),
    [
        (["colorize", "--input=/none", "--output=x", "--model=/none"], 2, "photochrom: /none is no model bundle"),
        (["prepare", "--input=/none", "--output=x"], 2, "photochrom: --input /none does not exist"),
        (["train", "--data=/none", "--model_dir=x", "--backbone=none"], 2, "photochrom: /none"),
        (["prepare"], 2, "the following arguments are required: --input, --output"),
        (["paint"], 2, "invalid choice: 'paint'"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(argv, status, message, tmp_path):
    done = subprocess.run([SCRIPT, *argv], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == status
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_too_many_failures_is_status_3(tmp_path, tint):
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans/a.jpg").write_bytes(b"no picture")
    argv = [f"--input={tmp_path / 'scans'}", f"--output={tmp_path / 'out'}", f"--model={tint}"]
    done = photochrom("colorize", *argv)
    assert done.returncode == 3
    assert "1 of 1 inputs failed, --max_failures allows 10%" in done.stderr
