"""The names of `import photochrom` do what the commands do."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import photochrom
from photochrom import demo, errors
from pipelines import prepare

pytestmark = pytest.mark.job
SCANS = demo.SAMPLES / "grayscale"


@pytest.fixture(scope="module")
def model():
    return photochrom.load_model("default")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api") / "dataset"
    flags = ("--image_size=64", "--ab_stride=4", "--split=train=0.5,validation=0.5")
    prepare.run([f"--input={demo.SAMPLES / 'colour'}", f"--output={folder}", *flags])
    return str(folder)


def test_all_names_exist_and_are_imported_late():
    code = """
import sys, photochrom
assert not {"numpy", "PIL", "tensorflow", "apache_beam", "serving", "trainer"} & set(sys.modules)
assert all(getattr(photochrom, name).__doc__ for name in photochrom.__all__)
assert set(photochrom.__all__) < set(dir(photochrom)) and not hasattr(photochrom, "paint")
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_colorize_gives_the_pixels_of_the_job(model, tmp_path):
    summary = photochrom.colorize_archive(str(SCANS), str(tmp_path / "out"), format="png", saturation=0.7)
    copies = sorted((tmp_path / "out/images").rglob("*.png"))
    assert (summary.listed, summary.done) == (len(copies), len(copies)) and copies
    (copy,) = (path for path in copies if path.name.startswith("forest-stream"))
    coloured = model.colorize(SCANS / "forest-stream.jpg", saturation=0.7)
    np.testing.assert_array_equal(np.asarray(coloured), np.asarray(Image.open(copy)))


def test_colorize_takes_arrays_and_pictures(model):
    with Image.open(SCANS / "forest-stream.jpg") as opened:
        gray = opened.convert("L").resize((160, 120))
    coloured = model.colorize(gray)
    assert (coloured.mode, coloured.size) == ("RGB", (160, 120))
    np.testing.assert_array_equal(np.asarray(model.colorize(np.asarray(gray))), np.asarray(coloured))
    deep = model.colorize(np.asarray(gray).astype(np.uint16) * 257)
    assert np.abs(np.asarray(deep, int) - np.asarray(coloured, int)).max() <= 2
    assert np.ptp(np.asarray(model.colorize(gray, saturation=0)), axis=2).max() <= 1


def test_colorize_refuses_what_is_no_picture(model, tmp_path):
    (tmp_path / "a.txt").write_text("no picture")
    with pytest.raises(errors.NotAnImage):
        model.colorize(tmp_path / "a.txt")
    with pytest.raises(errors.ReadError):
        model.colorize("nowhere.jpg")


def test_predict_ab_has_documented_shapes(model):
    lightness = np.linspace(0, 100, 64 * 96, dtype=np.float32).reshape(64, 96)
    ab = model.predict_ab(lightness)
    assert (ab.shape, ab.dtype) == ((16, 24, 2), np.float32)
    np.testing.assert_allclose(model.predict_ab(np.stack([lightness] * 2)[..., None])[1], ab, atol=1e-3)
    with pytest.raises(ValueError, match=r"has the shape \(60, 96\), expected .* multiples of 32"):
        model.predict_ab(lightness[:60])


def test_open_dataset_yields_documented_tensors(dataset):
    found = list(photochrom.open_dataset(dataset, "validation"))
    shapes = {name: (tuple(tensor.shape), tensor.dtype.name) for name, tensor in found[0].items()}
    expected = {"lightness": (64, 64, 1), "ab": (16, 16, 2), "weight": (16, 16, 1)}
    assert shapes == {name: (shape, "float32") for name, shape in expected.items()}
    with pytest.raises(errors.UsageError, match="no photographs in its test split"):
        photochrom.open_dataset(dataset, "test")


def test_evaluate_returns_its_summary(dataset, tmp_path):
    summary = photochrom.evaluate("default", dataset, str(tmp_path / "evaluation"), limit=2, image_size=64)
    assert summary["evaluated"] == 2 and (tmp_path / "evaluation/summary.json").is_file()
    with pytest.raises(errors.UsageError, match="did you mean --limit"):
        photochrom.evaluate("default", dataset, str(tmp_path / "e"), limt=2)
