"""Precision and recall of triage on a labelled set made of real photographs: crops, turned gray, toned, inverted."""

import collections
import pathlib
import time

import cv2
import matplotlib
import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw, ImageFont

from photochrom import demo
from photochrom.imaging import decoding
from serving.screening import negatives, triage

# One worker makes the set that several tests share.
pytestmark = pytest.mark.xdist_group("test_triage")

# Words of the pages of text: a file that no change of the code rewords.
_LICENSE = pathlib.Path(__file__).parents[3] / "LICENSE"
_TONES = {
    "sepia": ((40, 20, 5), (250, 225, 190)),
    "cyanotype": ((5, 20, 60), (215, 235, 250)),
    "selenium": ((30, 18, 28), (240, 232, 238)),
    "albumen": ((70, 50, 40), (225, 205, 165)),
}
_GRAY_SCANS = ("camera", "brick", "grass", "gravel", "coins", "moon", "clock")


def toned(gray: np.ndarray, dark: tuple[int, int, int], light: tuple[int, int, int]) -> np.ndarray:
    share = gray[:, :, None] / 255
    return (np.array(dark) * (1 - share) + np.array(light) * share).astype(np.uint8)


def to_gray(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)


def saved(pixels: np.ndarray, quality: int) -> np.ndarray:
    """As it comes back from a JPEG."""
    data = cv2.imencode(".jpg", pixels[..., ::-1] if pixels.ndim == 3 else pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return decoding.decode(data[1].tobytes(), max_pixels=10**7).pixels


def stained(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With a tea stain, and light fading from one side."""
    height, width = rgb.shape[:2]
    stain = np.zeros((height, width), np.float32)
    center = (int(rng.uniform(0.1, 0.9) * width), int(rng.uniform(0.1, 0.9) * height))
    cv2.circle(stain, center, min(height, width) // 8, 1.0, -1)
    stain = cv2.GaussianBlur(stain, (0, 0), 6)[:, :, None]
    fading = np.linspace(0, 0.15, width)[None, :, None]
    return (
        (rgb * (1 - stain * np.array([0.05, 0.12, 0.25])) * (1 - fading) + 240 * fading).clip(0, 255).astype(np.uint8)
    )


def orange_mask(rgb: np.ndarray) -> np.ndarray:
    """A colour negative on a light table: density over an orange base rises with exposure."""
    exposure = ((rgb / 255.0) ** 2.2).clip(0.004, 1)
    density = np.array([0.15, 0.45, 0.75]) + np.array([0.62, 0.65, 0.68]) * (np.log10(exposure) + 2.4)
    transmission = 10**-density
    return ((transmission / transmission[..., 0].max() * 0.9) ** (1 / 2.2) * 255).astype(np.uint8)


def blank(rng: np.random.Generator, base: float) -> np.ndarray:
    height, width = (int(side) for side in rng.integers(250, 700, 2))
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    even = base * (1 - rng.uniform(0, 0.2) * (x * x + y * y) / 2 + rng.uniform(-0.05, 0.05) * x)
    noisy = even + rng.normal(0, rng.uniform(0.5, 5), even.shape)
    return (noisy[..., None] * np.array([1, rng.uniform(0.94, 1), rng.uniform(0.8, 1)])).clip(0, 255).astype(np.uint8)


def text_page(rng: np.random.Generator) -> np.ndarray:
    """A page of words of the licence: black on white, or scanned a little askew from paper with a tone."""
    height, width, size = 1100, int(rng.integers(800, 1100)), int(rng.integers(15, 32))
    page = Image.new("L", (width, height), 255)
    fonts = [f"{matplotlib.get_data_path()}/fonts/ttf/{name}.ttf" for name in ("DejaVuSerif", "DejaVuSans", "cmr10")]
    font = ImageFont.truetype(fonts[rng.integers(3)], size)
    words = _LICENSE.read_text().split()
    for top in range(80, int(height * rng.uniform(0.5, 0.93)), int(size * rng.uniform(1.25, 1.6))):
        line = " ".join(rng.permutation(words)[: int((width - 150) / size / 3)])
        ImageDraw.Draw(page).text((75, top), line, font=font, fill=0)
    gray = np.asarray(page)
    if rng.random() < 0.3:
        return gray
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.normal(0, 0.8), 1)
    turned = cv2.warpAffine(gray, turn, (width, height), borderValue=255)
    scan = toned(turned, (50, 45, 40), (235, 228, 205)) + rng.normal(0, 3, (height, width, 1))
    return scan.clip(0, 255).astype(np.uint8)


def crops(pixels: np.ndarray, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """The whole, and crops of half of its sides or more."""
    found = [pixels]
    height, width = pixels.shape[:2]
    for _ in range(count - 1):
        share = rng.uniform(0.55, 0.9)
        h, w = int(height * share), int(width * share)
        top, left = int(rng.integers(height - h)), int(rng.integers(width - w))
        found.append(np.ascontiguousarray(pixels[top : top + h, left : left + w]))
    return found


@pytest.fixture(scope="module")
def labelled(photographs) -> list[tuple[str, str, np.ndarray]]:
    """(kind, variant, pixels)."""
    rng = np.random.default_rng(0)
    samples = sorted((demo.SAMPLES / "colour").rglob("*.jpg"))
    colour = list(photographs.values())
    colour += [decoding.decode(path.read_bytes(), max_pixels=10**7).opaque_rgb() for path in samples]
    scans = [path for path in sorted((demo.SAMPLES / "grayscale").rglob("*.*")) if path.suffix != ".md"]
    gray = [to_gray(decoding.decode(path.read_bytes(), max_pixels=10**7).opaque_rgb()) for path in scans]
    gray += [getattr(skimage.data, name)() for name in _GRAY_SCANS]
    found = []
    for rgb in (crop for picture in colour for crop in crops(picture, 2, rng)):
        found += [("colour", "colour", saved(rgb, 85)), ("negative", "orange mask", saved(orange_mask(rgb), 90))]
        gray.append(to_gray(rgb))
    for one in gray:
        found += [("gray", "gray", saved(one, int(rng.integers(40, 95)))), ("negative", "inverted", 255 - one)]
        name = sorted(_TONES)[rng.integers(len(_TONES))]
        print_ = toned(one, *_TONES[name])
        found += [("toned", name, saved(print_, 85)), ("toned", "stained", saved(stained(print_, rng), 85))]
    found += [("blank", "blank", blank(rng, base)) for base in (4, 12, 60, 128, 200, 235, 250) for _ in range(3)]
    found += [("text", "rendered", text_page(rng)) for _ in range(12)]
    found += [("text", "printed", crop) for crop in (skimage.data.page(), skimage.data.text())]
    return found


@pytest.fixture(scope="module")
def confusion(labelled) -> collections.Counter:
    counts = collections.Counter((label, triage.classify(pixels).kind) for label, _, pixels in labelled)
    for label in triage.KINDS:
        print(label, {kind: counts[label, kind] for kind in triage.KINDS})
    return counts


def precision(counts: collections.Counter, kind: str) -> float:
    return counts[kind, kind] / max(1, sum(counts[label, kind] for label in triage.KINDS))


def recall(counts: collections.Counter, kind: str) -> float:
    return counts[kind, kind] / sum(counts[kind, found] for found in triage.KINDS)


@pytest.mark.parametrize(
    ("kind", "least_precision", "least_recall"),
    [
        ("colour", 0.5, 0.98),
        ("gray", 0.5, 0.98),
        ("toned", 0.95, 0.9),
        ("blank", 0.99, 0.99),
        ("negative", 0.99, 0.08),
        ("text", 0.8, 0.9),
    ],
)
def test_classify_reaches_measured_precision_and_recall(confusion, kind, least_precision, least_recall):
    assert precision(confusion, kind) >= least_precision
    assert recall(confusion, kind) >= least_recall


def test_classify_finds_no_photograph_unsuitable(confusion):
    taken = sum(confusion[label, kind] for label in ("colour", "gray", "toned") for kind in triage.UNSUITABLE)
    assert taken == 0


@pytest.mark.parametrize("name", sorted(_TONES))
def test_classify_finds_any_tone(photographs, name):
    found = triage.classify(toned(to_gray(photographs["astronaut"]), *_TONES[name]))
    assert found.kind == "toned" and found.tone.spread < 2


def test_classify_ignores_depth_and_equal_channels(photographs):
    gray = to_gray(photographs["chelsea"])
    found = triage.classify(gray)
    assert found.kind == "gray"
    assert triage.classify(np.repeat(gray[:, :, None], 3, axis=2)).kind == "gray"
    assert triage.classify(gray.astype(np.uint16) * 257).scores == found.scores


def test_log_odds_of_an_inversion_is_opposite(photographs):
    gray = to_gray(photographs["astronaut"])
    assert negatives.log_odds(gray) < 0 < negatives.log_odds(255 - gray)


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (31, 31, 3), (3, 4000, 3)])
def test_classify_gives_tiny_pictures_a_tone(shape):
    found = triage.classify(np.full(shape, 120, np.uint8))
    assert found.kind == "gray" and found.scores == {}


def test_classify_is_cheap(photographs):
    """Takes 2 to 4 ms on a quiet core, measured as the time of this process, not of the machine."""
    pixels, durations = photographs["astronaut"], []
    for _ in range(10):
        started = time.process_time()
        triage.classify(pixels)
        durations.append(time.process_time() - started)
    assert min(durations) < 0.02
