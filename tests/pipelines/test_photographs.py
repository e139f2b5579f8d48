import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from photochrom import errors
from pipelines import photographs as job
from pipelines.config import PrepareConfig

CONFIG = PrepareConfig(input=("x",), output="y", image_size=64, ab_stride=2)


def encode(pixels: np.ndarray, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


def test_record_of_a_plain_colour_has_its_lab():
    # Lindbloom: sRGB red is L* 53.2408, a* 80.0925, b* 67.2032; gray 119 is L* 50.0344.
    rgb = np.full((64, 64, 3), 119, np.uint8)
    rgb[:, :32] = (255, 0, 0)
    rgb[56:] = (50, 130, 50)  # equally light, so that the picture does not count as toned
    rgb[60:, :] = (60, 60, 220)
    record, _ = job.to_record("k", encode(rgb), CONFIG)
    assert record.lightness.shape == (64, 64) and record.ab.shape == (32, 32, 2)
    assert record.lightness[5, 5] / 2.55 == pytest.approx(53.24, abs=0.2)
    assert record.ab[5, 5] == pytest.approx([80, 67], abs=0)
    assert record.lightness[5, 60] / 2.55 == pytest.approx(50.03, abs=0.2)
    assert record.ab[5, 30] == pytest.approx([0, 0], abs=1)


def test_item_describes_the_original(photographs):
    data = encode(photographs["coffee"], "JPEG")
    record, item = job.to_record("a!b", data, CONFIG)
    assert (record.source_height, record.source_width) == (400, 600)
    assert (item.key, item.format, item.source_bytes) == ("a!b", "JPEG", len(data))
    assert item.colorfulness > 20


def test_scaled_jpeg_decoding_gives_nearly_same_record(photographs):
    big = np.asarray(Image.fromarray(photographs["astronaut"]).resize((2048, 2048), Image.Resampling.LANCZOS))
    scaled, _ = job.to_record("k", encode(big, "JPEG", quality=95), CONFIG)
    full, _ = job.to_record("k", encode(big), CONFIG)
    assert np.abs(scaled.lightness.astype(int) - full.lightness).mean() < 1.5
    assert np.abs(scaled.ab.astype(int) - full.ab).mean() < 1.0


@pytest.mark.parametrize("tone", [[1, 1, 1], [1.0, 0.85, 0.6]])
def test_colourless_pictures_are_kept_on_request(tone):
    pixels = np.tile(np.arange(128)[:, None] * [tone], (128, 1, 1)).astype(np.uint8)
    record, item = job.to_record("k", encode(pixels), dataclasses.replace(CONFIG, colourless="keep"))
    assert np.ptp(record.lightness) > 100 and item.colorfulness < 40


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.tile(np.arange(128, dtype=np.uint8), (128, 1)), "grayscale"),
        (np.tile(np.arange(128, dtype=np.uint8)[:, None] * [[1.0, 0.85, 0.6]], (128, 1, 1)).astype(np.uint8), "toned"),
        (np.zeros((20, 300, 3), np.uint8), "too_small"),
    ],
)
def test_to_record_refuses_colourless_and_small_pictures(pixels, reason):
    with pytest.raises(errors.DataError) as caught:
        job.to_record("k", encode(pixels), CONFIG)
    assert caught.value.reason == reason


def test_to_record_refuses_nearly_gray_photographs(photographs):
    gray = photographs["coffee"].mean(axis=2, keepdims=True)
    faint = (gray + 0.02 * (photographs["coffee"] - gray)).clip(0, 255).astype(np.uint8)
    with pytest.raises(errors.Colourless, match="no colour to learn from"):
        job.to_record("k", encode(faint), CONFIG)


def test_to_record_refuses_slow_photographs(endless_jpeg):
    with pytest.raises(errors.DecodeError, match="longer than 1 s") as caught:
        job.to_record("k", endless_jpeg, dataclasses.replace(CONFIG, image_timeout=1))
    assert caught.value.reason == "decode_timeout"


def test_image_timeout_is_no_record_setting():
    assert dataclasses.replace(CONFIG, image_timeout=3).record_settings() == CONFIG.record_settings()
