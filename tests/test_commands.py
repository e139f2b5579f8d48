"""The console script, as a user runs it. Each job's own tests run it as a process of its own as well."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from photochrom import cli, demo
from photochrom.color import cielab, tone

pytestmark = pytest.mark.job  # whole jobs or trainings

SCRIPT = pathlib.Path(sys.executable).with_name("photochrom")


def photochrom(*argv) -> subprocess.CompletedProcess:
    return subprocess.run([SCRIPT, *map(str, argv)], capture_output=True, text=True, check=False, timeout=300)


def succeeds(*argv) -> str:
    done = photochrom(*argv)
    assert done.returncode == 0, done.stderr
    return done.stdout


def names(folder: pathlib.Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_colorize_needs_no_model(tmp_path):
    said = succeeds("colorize", f"--input={demo.SAMPLES / 'grayscale'}", f"--output={tmp_path}")
    assert "6 inputs: 6 done, 0 skipped, 0 failed" in said
    for path in (path for path in (tmp_path / "images").rglob("*") if path.is_file()):
        with Image.open(path) as image:
            assert tone.measure(cielab.rgb_to_lab(np.asarray(image.convert("RGB")))).chroma > 3, path


def test_demo_runs_the_whole_workflow(tmp_path):
    demo_out = tmp_path / "demo"
    said = succeeds("demo", f"--output={demo_out}", "--steps=4")
    assert (demo_out / "before-after.png").stat().st_size > 10_000
    assert "9 inputs: 9 done, 0 skipped, 0 failed" in said and "before-after.png" in said
    assert json.loads((demo_out / "dataset/dataset_info.json").read_text())["inputs"] == 32
    assert names(demo_out / "model/bundle") == {"saved_model", "model.json", "MODEL_CARD.md"}
    assert names(demo_out / "evaluation") >= {"report.html", "metrics.csv", "summary.json", "sheet.png"}
    assert len([path for path in (demo_out / "coloured/images").rglob("*") if path.is_file()]) == 9


@pytest.mark.parametrize("command", ["prepare", "train", "evaluate", "colorize", "demo"])
def test_help_names_units_and_defaults(command, capsys):
    with pytest.raises(SystemExit, match=r"^0$"):
        cli.main([command, "--help"])
    said = capsys.readouterr().out
    assert "default:" in said
    assert command == "demo" or "px" in said


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["colorize", "--input=/none", "--output=x", "--model=/none"], "photochrom: /none is no model bundle"),
        (["prepare", "--input=/none", "--output=x"], "photochrom: --input /none does not exist"),
        (["train", "--data=/none", "--model_dir=x", "--backbone=none"], "photochrom: /none"),
        (["prepare"], "the following arguments are required: --input, --output"),
        (["paint"], "invalid choice: 'paint'"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(argv, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try:
        status = cli.main(argv)
    except SystemExit as error:  # argparse's own way
        status = error.code
    said = capsys.readouterr().err
    assert status == 2
    assert message in said.splitlines()[-1]
    assert "Traceback" not in said


def test_too_many_failures_is_status_3(tmp_path, tint, capsys):
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans/a.jpg").write_bytes(b"no picture")
    argv = [f"--input={tmp_path / 'scans'}", f"--output={tmp_path / 'out'}", f"--model={tint}"]
    assert cli.main(["colorize", *argv]) == 3
    assert "1 of 1 inputs failed, --max_failures allows 10%" in capsys.readouterr().err
