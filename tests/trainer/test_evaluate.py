import csv
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from photochrom import bundle, cli, color, errors, signature
from trainer import evaluate

SIZE = 64
# The colours of the pictures in the dataset: light sky, dark grass.
SKY, GRASS = (tuple(color.rgb_to_lab(np.uint8([[rgb]]))[0, 0, 1:]) for rgb in ((120, 170, 230), (40, 90, 20)))


def make_bundle(folder, ab_of, name=signature.NAME):
    """Makes a bundle whose model gives `ab_of(lightness)` at half the size."""
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 1], tf.float32, name=signature.LIGHTNESS)])
    def serve(lightness):
        small = lightness[:, ::2, ::2]
        return {signature.AB: ab_of(small), signature.CONFIDENCE: tf.ones_like(small)}

    module.serve = serve
    tf.saved_model.save(module, str(folder / "saved_model"), signatures={name: serve})
    return bundle.seal(folder, {"name": "tiny", "image_size": SIZE, "ab_stride": 2})


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """The bundle of a model that knows what the dataset's colours are."""
    return make_bundle(tmp_path_factory.mktemp("learned"), lambda light: tf.where(light > 52, SKY, GRASS))


@pytest.fixture(scope="module")
def sepia(tmp_path_factory):
    """The bundle of a model that gives every pixel the same colour."""
    return make_bundle(tmp_path_factory.mktemp("sepia"), lambda light: tf.add(tf.zeros_like(light), [6.0, 18.0]))


def _evaluate(opened, data, output, *flags):
    return evaluate.run(["--model", str(opened.path), "--data", str(data), "--output", str(output), *flags])


def _read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_model_that_knows_the_colours_beats_the_baselines(learned, dataset, tmp_path, capsys):
    summary = _evaluate(learned, dataset, tmp_path / "out", "--sheet_rows=2")
    means = {
        method: {metric: value["mean"] for metric, value in metrics.items()}
        for method, metrics in summary["methods"].items()
    }
    assert means["model"]["ciede2000"] < means["mean_colour"]["ciede2000"] < means["gray"]["ciede2000"]
    assert means["model"]["psnr"] > means["mean_colour"]["psnr"] > means["gray"]["psnr"]
    assert means["model"]["psnr_gain"] == pytest.approx(means["model"]["psnr"] - means["gray"]["psnr"])
    assert means["model"]["chroma_ratio"] == pytest.approx(1, abs=0.1)
    assert means["gray"]["chroma_ratio"] == pytest.approx(0, abs=1e-3)
    assert all(v["low"] <= v["mean"] <= v["high"] for m in summary["methods"].values() for v in m.values())
    printed = capsys.readouterr().out
    assert "4 photographs evaluated, 0 skipped" in printed
    assert re.search(rf"^CIEDE2000 +{means['model']['ciede2000']:.3f} ± ", printed, re.MULTILINE)


def test_every_photograph_has_a_row_for_each_method(learned, dataset, tmp_path):
    summary = _evaluate(learned, dataset, tmp_path / "out", "--batch_size=3")
    rows = _read_csv(tmp_path / "out" / "metrics.csv")
    assert len(rows) == 4 * 3
    assert {row["key"] for row in rows} == {f"validation/{shard}/{index}" for shard in (0, 1) for index in (0, 1)}
    for method, metrics in summary["methods"].items():
        values = [float(row["ciede2000"]) for row in rows if row["method"] == method]
        assert np.mean(values) == pytest.approx(metrics["ciede2000"]["mean"], rel=1e-5)


def test_summary_states_what_was_measured(learned, dataset, tmp_path):
    summary = _evaluate(learned, dataset, tmp_path / "out")
    assert summary == json.loads((tmp_path / "out" / "summary.json").read_text(), object_hook=_ab_as_tuple)
    assert summary["protocol"] == 1
    assert summary["model"]["digest"] == learned.digest
    assert summary["data"]["dataset_digest"] == "sha256:" + "0" * 64
    assert (summary["data"]["split"], summary["data"]["image_size"], summary["evaluated"]) == ("validation", SIZE, 4)
    assert {file.name for file in (tmp_path / "out").iterdir()} == set(evaluate.OUTPUTS)


def _ab_as_tuple(values):
    return {**values, "ab": tuple(values["ab"])} if "ab" in values else values


def test_evaluating_again_gives_the_same_files(learned, dataset, tmp_path):
    def contents():
        return {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}

    _evaluate(learned, dataset, tmp_path / "out")
    first = contents()
    _evaluate(learned, dataset, tmp_path / "out")
    assert contents() == first


def test_mean_colour_is_that_of_the_train_split_where_it_is_known(learned, dataset, tmp_path):
    copy = shutil.copytree(dataset, tmp_path / "lab")
    (copy / "statistics" / "statistics.json").write_text(json.dumps({"a": {"mean": -3.5}, "b": {"mean": 8.0}}))
    summary = _evaluate(learned, copy, tmp_path / "out", "--limit=1")
    assert summary["mean_colour"] == {"ab": (-3.5, 8.0), "of": "train split"}
    summary = _evaluate(learned, dataset, tmp_path / "out", "--split=train")
    assert summary["mean_colour"]["of"] == "evaluated photographs"
    assert summary["evaluated"] == 12


def test_sheet_shows_gray_model_and_truth(learned, dataset, tmp_path):
    _evaluate(learned, dataset, tmp_path / "out", "--sheet_rows=1")
    sheet = np.asarray(Image.open(tmp_path / "out" / "sheet.png")).astype(int)
    assert sheet.shape == (4 + 2 * 16 + 196, 4 + 3 * 196, 3)
    gray, model, truth = (sheet[40:220, left : left + 180] for left in (10, 206, 402))
    assert np.ptp(gray, axis=2).max() <= 2
    assert np.abs(model - truth).mean() < 5 < np.abs(gray - truth).mean()


def test_photographs_are_read_from_a_folder(sepia, photo_folder, tmp_path):
    data = shutil.copytree(photo_folder, tmp_path / "photos")
    (data / "broken.jpg").write_bytes((data / "coffee" / "0.jpg").read_bytes()[:3000])
    Image.new("L", (80, 80), 99).save(data / "gray.png")
    Image.new("RGB", (20, 20), "red").save(data / "tiny.png")
    (data / "notes.txt").write_text("no photograph")
    summary = _evaluate(sepia, data, tmp_path / "out")
    assert summary["evaluated"] == 24
    assert summary["skipped"] == {"grayscale": 1, "too_small": 1, "undecodable": 1}
    assert summary["methods"]["model"]["chroma"]["mean"] == pytest.approx(np.hypot(6, 18), abs=2)
    skipped = {row["key"]: row for row in _read_csv(tmp_path / "out" / "skipped.csv")}
    assert set(skipped) == {"photos/broken.jpg", "photos/gray.png", "photos/tiny.png"}
    assert "20x20 px" in skipped["photos/tiny.png"]["message"]


def test_photographs_are_read_from_an_archive(sepia, photo_folder, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "box"), "gztar", photo_folder)
    summary = _evaluate(sepia, archive, tmp_path / "out", "--limit=5")
    assert summary["evaluated"] == 5
    assert all(row["key"].startswith("box.tar.gz!") for row in _read_csv(tmp_path / "out" / "metrics.csv"))


def test_photographs_are_read_at_the_size_asked_for(sepia, photo_folder, tmp_path):
    summary = _evaluate(sepia, photo_folder, tmp_path / "out", "--limit=2", "--image_size=96")
    assert summary["data"]["image_size"] == 96


def _refused(message, opened, data, output, *flags):
    with pytest.raises(errors.UsageError, match=message):
        _evaluate(opened, data, output, *flags)


def test_missing_and_damaged_bundles_are_refused(sepia, dataset, tmp_path):
    copy = bundle.Bundle(shutil.copytree(sepia.path, tmp_path / "copy"), sepia.info)
    with open(copy.path / "saved_model" / "saved_model.pb", "ab") as file:
        file.write(b"x")
    _refused("is damaged: its files have digest", copy, dataset, tmp_path / "out")
    shutil.rmtree(copy.path)
    _refused("is no model bundle", copy, dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bundle_with_another_signature_is_refused(dataset, tmp_path):
    other = make_bundle(tmp_path / "other", lambda light: tf.concat([light, light], -1), name="train")
    _refused("has no signature 'serving_default'", other, dataset, tmp_path / "out")


def test_missing_and_empty_data_are_refused(sepia, tmp_path):
    _refused("--data .*nowhere does not exist", sepia, tmp_path / "nowhere", tmp_path / "out")
    empty = tmp_path / "empty"
    empty.mkdir()
    _refused("--data .*empty matches no file", sepia, empty, tmp_path / "out")
    (empty / "notes.txt").write_text("no photograph")
    _refused("--data .*empty holds no photographs; expected a dataset", sepia, empty, tmp_path / "out")


def test_unusable_photographs_are_no_evaluation(sepia, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(errors.PhotochromError, match=r"none of the 1 photographs .*broken.jpg: "):
        _evaluate(sepia, tmp_path / "photos", tmp_path / "out")


def test_datasets_that_do_not_fit_are_refused(sepia, dataset, tmp_path):
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
    _refused("lies inside --data", sepia, photo_folder, photo_folder / "out")


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--batch_size=0", "--batch_size is 0, expected 1 or more"),
        ("--limit=-1", "--limit is -1, expected 0 or more"),
        ("--image_size=100", "--image_size is 100, expected a multiple of 32 px"),
    ],
)
def test_bad_flags_are_one_line_and_status_2(flag, message, capsys):
    assert cli.call(evaluate.run, ["--model=m", "--data=d", "--output=o", flag]) == 2
    assert capsys.readouterr().err == f"photochrom: {message}\n"


def test_unknown_flags_are_an_error():
    with pytest.raises(SystemExit, match="2"):
        evaluate.run(["--model=m", "--data=d", "--output=o", "--colour=yes"])


def test_model_that_gives_no_numbers_stops_the_evaluation(dataset, tmp_path):
    broken = make_bundle(tmp_path / "nan", lambda light: tf.concat([light, light], -1) * np.float32("nan"))
    with pytest.raises(errors.PhotochromError, match="not finite"):
        _evaluate(broken, dataset, tmp_path / "out")


def test_the_command_imports_nothing_heavy_before_its_flags_are_good():
    code = "import sys, trainer.evaluate as e; e.build_parser(); print([m for m in sys.modules if m in %r])"
    heavy = ("tensorflow", "matplotlib", "skimage", "keras", "apache_beam")
    found = subprocess.run([sys.executable, "-c", code % (heavy,)], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_command_ends_with_status_0(sepia, dataset, tmp_path):
    flags = ["--model", str(sepia.path), "--data", str(dataset), "--output", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "trainer.evaluate", *flags], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 10
