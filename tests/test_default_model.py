"""The bundled model."""

import dataclasses
import pathlib

import cv2
import numpy as np
import pytest
import skimage.color
import tensorflow as tf
from scipy import stats

import photochrom
from photochrom.color.lightness import to_lightness
from photochrom.imaging import decoding, resizing
from photochrom.imaging.sandbox.decoder import Decoder
from photochrom.model import bundle, signature, working_size
from photochrom.sources.source import Source
from serving import scans
from serving.inference import model_handler
from trainer.model import build
from trainer.model.backbones import Backbone
from trainer.model.calibrated import Calibration
from trainer.training import warm_start

pytestmark = pytest.mark.job  # whole jobs or trainings

SAMPLES = pathlib.Path(photochrom.__file__).parent / "demo_photographs"
SCANS = sorted((SAMPLES / "grayscale").rglob("*.*"))
PHOTOGRAPHS = sorted((SAMPLES / "colour").rglob("*.jpg"))


@pytest.fixture(scope="module")
def predict():
    """[B, H, W, 1] float32 L* -> ab and confidence."""
    loaded = tf.saved_model.load(bundle.open_bundle(bundle.DEFAULT).saved_model)

    def call(lightness):
        outputs = loaded.signatures[signature.NAME](**{signature.LIGHTNESS: tf.constant(lightness)})
        return outputs[signature.AB].numpy(), outputs[signature.CONFIDENCE].numpy()

    return call


def test_bundle_is_complete_and_small():
    opened = bundle.open_bundle(bundle.DEFAULT)
    size = sum(path.stat().st_size for path in opened.path.rglob("*") if path.is_file())
    assert size <= 25_000_000
    card = (opened.path / "MODEL_CARD.md").read_text()
    assert opened.digest in card
    assert opened.info["data_digest"] in card
    assert (opened.path / "failures.jpg").exists()
    assert "](failures.jpg)" in card
    assert opened.info["licences"]["backbone_weights"].startswith("Apache-2.0")


def test_bundle_can_be_trained_further(predict):
    opened = bundle.open_bundle(bundle.DEFAULT)
    shape = build.Shape(opened.info["settings"]["width"], opened.info["settings"]["decoder_width"], opened.ab_stride)
    network = build.build_model(shape, Backbone(opened.info["backbone"], name="backbone"))
    warm_start.load_weights(network, [opened])
    lightness = np.random.default_rng(0).uniform(0, 100, (1, 64, 64, 1)).astype(np.float32)
    outputs, (ab, confidence) = network(lightness, training=False), predict(lightness)
    np.testing.assert_allclose(outputs["confidence"], confidence, atol=1e-3)
    # Without the strength of the bundle.
    colours = np.asarray(Calibration(opened.info["calibration"]["exponent"])(outputs["ab"]))
    factor = np.linalg.norm(ab) / np.linalg.norm(colours)
    np.testing.assert_allclose(factor * colours, ab, atol=1e-2)


def test_model_colours_clear_sky_blue(predict):
    rows = np.linspace(75, 60, 160, dtype=np.float32)
    land = np.random.default_rng(0).uniform(25, 45, (96, 256)).astype(np.float32)
    lightness = np.concatenate([np.repeat(rows[:, None], 256, axis=1), land])[None, ..., None]
    (ab,), confidence = predict(lightness)
    assert ab.shape == (64, 64, 2)
    assert ab[4:30, 8:-8, 1].mean() < -3  # b* below 0 is blue
    assert 0 < confidence.min() < confidence.max() < 1


def test_confidence_is_higher_for_better_colours(predict):
    sure, errors = [], []
    for path in PHOTOGRAPHS:
        rgb = decoding.decode(path.read_bytes(), max_pixels=10**7).pixels
        lab = skimage.color.rgb2lab(resizing.resize(rgb, 256, 256))
        (ab,), confidence = predict(lab[None, ..., :1].astype(np.float32))
        sure.append(confidence[0, ..., 0])
        errors.append(np.linalg.norm(ab - resizing.resize(lab[..., 1:], 64, 64), axis=-1))
    assert len(errors) == 16
    assert stats.spearmanr(np.ravel(sure), np.ravel(errors)).statistic < -0.2


def test_colours_are_stable_at_half_size(predict):
    differences = []
    for path in SCANS:
        full = decoding.decode(path.read_bytes(), max_pixels=10**7)
        height, width = (side // 2 for side in full.pixels.shape[:2])
        half = cv2.imencode(".png", resizing.resize(full.pixels, height, width))[1].tobytes()
        lab = [_colorized(predict, data, height, width) for data in (path.read_bytes(), half)]
        differences.append(skimage.color.deltaE_ciede2000(*lab).mean())
    assert len(differences) == 6
    assert np.mean(differences) < 3


def _colorized(predict, data, height, width):
    """Returns [height, width, 3] L*a*b* of a scan, coloured like serving does."""
    scan = scans.read(Source(key="scan", path="scan"), data, 256, 4, Decoder(10**7))
    (ab,), _ = predict(scan.lightness[None, ..., None])
    ab = working_size.cut(ab, scan.size, 4)
    gray = resizing.resize(scan.picture.pixels, height, width)
    return np.dstack([to_lightness(gray), resizing.resize(ab, height, width)])


def smooth_scan(seed: int) -> bytes:
    """A few random values, enlarged and blurred: a picture without any detail."""
    values = np.random.default_rng(seed).uniform(20, 220, (4, 4)).astype(np.float32)
    pixels = cv2.GaussianBlur(cv2.resize(values, (256, 256), interpolation=cv2.INTER_CUBIC), (0, 0), 16)
    return cv2.imencode(".png", pixels.clip(0, 255).astype(np.uint8))[1].tobytes()


def test_smooth_scans_have_no_gray_margin():
    opened = bundle.open_bundle(bundle.DEFAULT)
    decoder = Decoder(10**7)
    smooth = [scans.read(Source("a", "a"), smooth_scan(seed), 256, 4, decoder) for seed in range(16)]
    found = model_handler.BundleHandler(opened).load_model().colors(smooth)
    chroma = np.stack([np.linalg.norm(colors.ab, axis=-1) for _, colors in found])
    for side in (chroma, chroma[:, ::-1], chroma.swapaxes(1, 2), chroma.swapaxes(1, 2)[:, ::-1]):
        # 1 px of ab is 1.6% of the picture.
        assert side[:, 0].mean() == pytest.approx(side[:, 2:5].mean(), rel=0.1)


def test_colours_are_independent_of_batch():
    opened = bundle.open_bundle(bundle.DEFAULT)
    predictor = model_handler.BundleHandler(opened).load_model()
    scan = scans.read(Source("a", "a"), SCANS[0].read_bytes(), opened.image_size, opened.ab_stride, Decoder(10**7))
    several = [dataclasses.replace(scan, lightness=np.roll(scan.lightness, 30 * i, axis=1)) for i in range(5)]
    together = [colors.ab for _, colors in predictor.colors(several)]
    for size in (1, 2, 3):
        for (_, colors), ab in zip(predictor.colors(several[-size:]), together[-size:], strict=True):
            assert np.array_equal(colors.ab, ab)
