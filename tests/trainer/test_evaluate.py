import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from photochrom import cli, errors
from photochrom.model import bundle
from tests.support.evaluation import evaluate
from trainer import evaluate as command

pytestmark = pytest.mark.job  # whole jobs or trainings


def test_photographs_are_read_from_a_folder(sepia, photo_folder, tmp_path):
    data = shutil.copytree(photo_folder, tmp_path / "photos")
    (data / "broken.jpg").write_bytes((data / "coffee" / "0.jpg").read_bytes()[:3000])
    Image.new("L", (80, 80), 99).save(data / "gray.png")
    Image.new("RGB", (20, 20), "red").save(data / "tiny.png")
    (data / "notes.txt").write_text("no photograph")
    found = evaluate(sepia, data, tmp_path / "out")
    summary = found.summary
    assert summary["evaluated"] == 24
    assert summary["skipped"] == {"grayscale": 1, "too_small": 1, "undecodable": 1}
    assert summary["methods"]["model"]["chroma"]["mean"] == pytest.approx(np.hypot(6, 18), abs=2)
    skipped = {row["key"]: row for row in found.rows("skipped.csv")}
    assert set(skipped) == {"photos/broken.jpg", "photos/gray.png", "photos/tiny.png"}
    assert "20x20 px" in skipped["photos/tiny.png"]["message"]


def test_photographs_are_read_from_an_archive(sepia, photo_folder, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "box"), "gztar", photo_folder)
    found = evaluate(sepia, archive, tmp_path / "out", "--limit=5")
    assert found.summary["evaluated"] == 5
    assert all(row["key"].startswith("box.tar.gz!") for row in found.rows())


def test_photographs_are_read_at_requested_size(sepia, photo_folder, tmp_path):
    summary = evaluate(sepia, photo_folder, tmp_path / "out", "--limit=2", "--image_size=96").summary
    assert summary["data"]["image_size"] == 96


def _refused(message, opened, data, output, *flags):
    with pytest.raises(errors.UsageError, match=message):
        evaluate(opened, data, output, *flags)


def test_missing_and_damaged_bundles_are_refused(sepia, dataset, tmp_path):
    copy = bundle.Bundle(shutil.copytree(sepia.path, tmp_path / "copy"), sepia.info)
    with open(copy.path / "saved_model" / "saved_model.pb", "ab") as file:
        file.write(b"x")
    _refused("is damaged: its files have digest", copy, dataset, tmp_path / "out")
    shutil.rmtree(copy.path)
    _refused("is no model bundle", copy, dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bundle_with_another_signature_is_refused(make_bundle, dataset, tmp_path):
    other = make_bundle(lambda light: tf.concat([light, light], -1), name="train")
    _refused("has no signature 'serving_default'", other, dataset, tmp_path / "out")


def test_missing_and_empty_data_are_refused(sepia, tmp_path):
    _refused("--data .*nowhere does not exist", sepia, tmp_path / "nowhere", tmp_path / "out")
    empty = tmp_path / "empty"
    empty.mkdir()
    _refused("--data .*empty matches no file", sepia, empty, tmp_path / "out")
    (empty / "notes.txt").write_text("no photograph")
    _refused("--data .*empty holds no photographs; expected a dataset", sepia, empty, tmp_path / "out")


def test_evaluation_needs_a_usable_photograph(sepia, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(errors.PhotochromError, match=r"none of the 1 photographs .*broken.jpg: "):
        evaluate(sepia, tmp_path / "photos", tmp_path / "out")


def test_unfit_datasets_are_refused(sepia, dataset, tmp_path):
    _refused(r"no photographs in its test split; it has train \(12\), validation \(4\)", sepia, dataset,
             tmp_path / "out", "--split=test")  # fmt: skip
    _refused("pictures of 64 px, .* at 96 px; give --image_size=64", sepia, dataset, tmp_path / "out",
             "--image_size=96")  # fmt: skip
    copy = shutil.copytree(dataset, tmp_path / "lab")
    shard = copy / "validation-00001-of-00002.tfrecord"
    data = shard.read_bytes()
    shard.write_bytes(data[:-10])
    _refused("a record is damaged; copy it again", sepia, copy, tmp_path / "out")
    shard.unlink()
    _refused("has 1 validation shards, dataset_info.json says 2", sepia, copy, tmp_path / "out")
    (copy / "dataset_info.json").write_text("{}")
    _refused("no dataset that can be read", sepia, copy, tmp_path / "out")


def test_output_with_other_files_is_refused(sepia, dataset, photo_folder, tmp_path):
    (tmp_path / "diary.txt").write_text("dear")
    _refused("holds other files, such as diary.txt", sepia, dataset, tmp_path)
    _refused("is inside --data", sepia, photo_folder, photo_folder / "out")


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--batch_size=0", "--batch_size is 0, expected at least 1"),
        ("--model=a --model=b", "--model is given 3 times, expected once, or twice to compare bundles"),
        ("--limit=-1", "--limit is -1, expected at least 0"),
        ("--subsets=(", "--subsets '(' is no regular expression: missing ), unterminated subpattern at position 0"),
        ("--subsets=a+", "--subsets 'a+' has no group, expected one around the subset's name: '^(\\w+)-'"),
        ("--image_size=100", "--image_size is 100, expected at least 0 and a multiple of 32 px"),
    ],
)
def test_bad_flags_print_one_line(flag, message, capsys):
    assert cli.call(command.run, ["--model=m", "--data=d", "--output=o", *flag.split(" ")]) == 2
    assert capsys.readouterr().err == f"photochrom: {message}\n"


def test_unknown_flags_are_an_error():
    with pytest.raises(errors.UsageError, match="unknown flag '--colour'; see --help"):
        command.run(["--model=m", "--data=d", "--output=o", "--colour=yes"])


def test_invalid_model_outputs_stop_evaluation(make_bundle, dataset, tmp_path):
    unsure = make_bundle(lambda light: tf.concat([light, light], -1), lambda light: light)
    with pytest.raises(errors.PhotochromError, match=r"returned confidence from .*, expected 0 to 1"):
        evaluate(unsure, dataset, tmp_path / "out")
    broken = make_bundle(lambda light: tf.concat([light, light], -1) * np.float32("nan"))
    with pytest.raises(errors.PhotochromError, match="not finite"):
        evaluate(broken, dataset, tmp_path / "out")


def test_command_checks_flags_before_heavy_imports():
    code = "import sys, trainer.evaluate as e; e.build_parser(); print([m for m in sys.modules if m in %r])"
    heavy = ("tensorflow", "matplotlib", "skimage", "scipy", "jinja2", "keras", "apache_beam")
    found = subprocess.run([sys.executable, "-c", code % (heavy,)], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_command_ends_with_status_0(sepia, dataset, tmp_path):
    flags = ["--model", str(sepia.path), "--data", str(dataset), "--output", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "trainer.evaluate", *flags], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{tmp_path / 'out'}/report.html: 4 photographs evaluated, 0 skipped\n")
