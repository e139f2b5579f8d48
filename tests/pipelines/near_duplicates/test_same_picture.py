import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from pipelines.near_duplicates import perceptual_hash, same_picture


def signature(image: Image.Image) -> bytes:
    return perceptual_hash.signature(np.asarray(image))


def recompressed(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=30)
    return Image.open(file)


def cropped(image: Image.Image, share: float) -> Image.Image:
    width, height = image.size
    return image.crop((round(share * width), 0, width, round((1 - share) * height)))


COPIES = {
    "smaller": lambda image: image.resize((image.width // 3, image.height // 3)),
    "squashed": lambda image: image.resize((200, 200)),
    "recompressed": recompressed,
    "cropped": lambda image: cropped(image, 0.02),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "duller": lambda image: ImageEnhance.Color(image).enhance(0.75),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}
OTHERS = {
    "half": lambda image: cropped(image, 0.3),
    "upside down": lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    "other colours": lambda image: Image.merge("RGB", image.split()[::-1]),
    "negative": lambda image: Image.eval(image, lambda value: 255 - value),
}


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES)
def test_are_same_accepts_copies(photographs, change):
    for rgb in photographs.values():
        image = Image.fromarray(rgb)
        assert same_picture.are_same(signature(image), signature(change(image)))
        assert same_picture.are_same(signature(change(image)), signature(image))


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_are_same_rejects_other_changes(photographs, change):
    for rgb in photographs.values():
        image = Image.fromarray(rgb)
        assert not same_picture.are_same(signature(image), signature(change(image)))


def test_are_same_rejects_different_photographs(photographs):
    signatures = [perceptual_hash.signature(rgb) for rgb in photographs.values()]
    for i, one in enumerate(signatures):
        assert not any(same_picture.are_same(one, other) for other in signatures[:i])


def test_are_same_handles_blank_pictures():
    blank, speck = np.full([32, 32, 3], 128, np.uint8), np.full([32, 32, 3], 128, np.uint8)
    speck[8:16, 8:16] = 160, 120, 100
    blank, speck = perceptual_hash.signature(blank), perceptual_hash.signature(speck)
    assert same_picture.are_same(blank, blank) and same_picture.are_same(speck, speck)
    assert not same_picture.are_same(blank, speck) and not same_picture.are_same(speck, blank)


def test_are_same_accepts_copies_of_gray_pictures(photographs):
    for rgb in photographs.values():
        gray = Image.fromarray(rgb).convert("L").convert("RGB")
        assert same_picture.are_same(signature(gray), signature(recompressed(gray)))
