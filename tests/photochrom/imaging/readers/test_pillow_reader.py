import io
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from PIL import Image

from photochrom import errors
from photochrom.imaging import decoding
from photochrom.imaging.readers import pillow_reader


def encoded(format: str, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((60, 90), np.uint8)).save(file, format, **options)
    return file.getvalue()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "TIFF"])
def test_decode_ignores_pillows_own_limit(monkeypatch, format):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # above twice of it Pillow raises DecompressionBombError
    with warnings.catch_warnings(action="error"):
        assert decoding.decode(encoded(format), max_pixels=90 * 60).pixels.shape[:2] == (60, 90)
    with pytest.raises(errors.TooLarge):
        decoding.decode(encoded(format), max_pixels=90 * 60 - 1)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_without_size_limit_lets_one_thread_in(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    other = threading.Thread(target=decoding.decode, args=(encoded("PNG"),), kwargs={"max_pixels": 10**6})
    with pillow_reader.without_size_limit():
        other.start()
        assert Image.MAX_IMAGE_PIXELS is None
        assert other.is_alive()
    other.join(20)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_import_has_no_effects():
    """Libraries keep their settings in a process that imports all modules of imaging, the worker's too."""
    code = """
import importlib, logging, pathlib, pkgutil
from PIL import Image
limit = Image.MAX_IMAGE_PIXELS
import photochrom.imaging
names = [module.name for module in pkgutil.walk_packages(photochrom.imaging.__path__, "photochrom.imaging.")]
for name in names:
    importlib.import_module(name)
assert len(names) > 18 and limit and Image.MAX_IMAGE_PIXELS == limit
assert logging.getLogger("tifffile").level == logging.NOTSET
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("gamma", [0.45, 1 / 2.2, 0.0, 5.0])
def test_undo_gamma_leaves_srgb_and_nonsense(gamma):
    values = np.arange(256, dtype=np.uint8)
    assert pillow_reader.undo_gamma(values, gamma) is values


def test_undo_gamma_of_linear_light():
    # IEC 61966-2-1: light 0.5 is 0.73536 of the full value.
    assert pillow_reader.undo_gamma(np.array([0, 32768, 65535], np.uint16), 1.0).tolist() == [0, 48192, 65535]
