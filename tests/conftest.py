"""What the tests share: real photographs that scikit-image carries, and a small real model. No network needed."""

import io
import pathlib
import uuid

import numpy as np
import pytest
import skimage.data
import tensorflow as tf
from PIL import Image

from photochrom import bundle, signature
from tests import bucket_server


@pytest.fixture(scope="session")
def photographs() -> dict[str, np.ndarray]:
    """Name -> [H, W, 3] uint8 colour photograph."""
    return {name: getattr(skimage.data, name)() for name in ("astronaut", "coffee", "chelsea", "rocket")}


@pytest.fixture(scope="session")
def photo_folder(photographs, tmp_path_factory) -> pathlib.Path:
    """A folder of 24 colour photographs: crops of the real ones, with different keys."""
    folder = tmp_path_factory.mktemp("photos") / "photos"
    for name, rgb in photographs.items():
        (folder / name).mkdir(parents=True)
        for i in range(6):
            top, left = 20 * i, 15 * i
            crop = np.ascontiguousarray(rgb[top : top + 200, left : left + 240])
            Image.fromarray(crop).save(folder / name / f"{i}.jpg", quality=92)
    return folder


@pytest.fixture(scope="session")
def gray_folder(photographs, tmp_path_factory) -> pathlib.Path:
    """A folder of gray scans: of several shapes, formats and depths, one toned, one broken, one no image."""
    folder = tmp_path_factory.mktemp("scans") / "scans"
    (folder / "box1").mkdir(parents=True)
    gray = {name: Image.fromarray(rgb).convert("L") for name, rgb in photographs.items()}
    gray["astronaut"].save(folder / "box1" / "square.jpg", dpi=(300, 300))
    gray["coffee"].save(folder / "box1" / "wide.png")
    gray["chelsea"].crop((0, 0, 120, 300)).save(folder / "tall.tif", compression="tiff_lzw")
    gray["rocket"].save(folder / "lossy.webp")
    Image.fromarray(np.asarray(gray["coffee"]).astype(np.uint16) * 257).save(folder / "deep.png")
    sepia = np.asarray(gray["chelsea"])[:, :, None] * np.array([1.0, 0.86, 0.68])
    Image.fromarray(sepia.astype(np.uint8)).save(folder / "sepia.jpg", quality=95)
    Image.fromarray(photographs["coffee"]).save(folder / "colour.jpg")
    (folder / "broken.jpg").write_bytes((folder / "box1" / "square.jpg").read_bytes()[:4000])
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="session")
def endless_jpeg() -> bytes:
    """A JPEG of 250 KB whose last scan comes 5,000 times: libjpeg needs minutes for it."""
    buffer = io.BytesIO()
    Image.new("L", (4000, 4000), 99).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    scan = data.rfind(b"\xff\xda")
    return data[:scan] + data[scan:-2] * 5000 + data[-2:]


class Tint(tf.Module):
    """Warm shadows, cool lights; fails on pictures that are white all over, as a model may."""

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 1], tf.float32, name=signature.LIGHTNESS)])
    def predict(self, lightness):
        check = tf.debugging.assert_less(tf.reduce_min(lightness, axis=[1, 2, 3]), 99.0, message="all white")
        with tf.control_dependencies([check]):
            small = tf.nn.avg_pool2d(lightness, 2, 2, "SAME")
        ab = tf.concat([small * 0 + 5, (50 - small) * 0.4], axis=-1)
        return {signature.AB: ab, signature.CONFIDENCE: small * 0 + 0.5}


def make_bundle(folder: pathlib.Path, name: str = "tint") -> str:
    """Seals the model into `folder`."""
    model = Tint()
    tf.saved_model.save(model, str(folder / "saved_model"), signatures={signature.NAME: model.predict})
    bundle.seal(folder, {"name": name, "image_size": 64, "ab_stride": 2})
    return str(folder)


@pytest.fixture(scope="session")
def tint(tmp_path_factory) -> str:
    """The path of a bundle."""
    return make_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def running_store():
    with bucket_server.running() as server:
        yield server


@pytest.fixture
def store(running_store, monkeypatch) -> bucket_server.BucketServer:
    """A store of buckets that works; what fails is set by the test. Tries follow one another ten times as fast."""
    from photochrom import gcs

    running_store.clear()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", running_store.address)
    monkeypatch.setattr(gcs, "RETRY", gcs.RETRY.with_delay(initial=0.025, maximum=1.0, multiplier=2.0).with_timeout(20))
    return running_store


@pytest.fixture
def bucket(store) -> str:
    """gs:// and the name of a bucket that is empty."""
    return store.make_bucket(f"bucket-{uuid.uuid4().hex}")
