"""Averages a model's answers to several views of the same pictures: unchanged, mirrored, and enlarged.

Its errors differ between views, correct answers do not. The cost is proportional to the pixels of all views together.
"""

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from photochrom.model import signature

# ab [B, h, w, 2] and confidence [B, h, w, 1] of [B, H, W, 1] float32 L*.
Answers = tuple[np.ndarray, np.ndarray]
# Scales of the views, rounded to the nearest size that the model accepts.
SCALES = (1.0, 1.25)


def average(predict: Callable[[np.ndarray], Answers], lightness: np.ndarray) -> Answers:
    """Returns the mean of a model's answers to all views, at the size of its answer to the unchanged pictures.

    Args:
        predict: calls the model.
        lightness: [B, H, W, 1] float32 L*.
    """
    (ab, confidence), *others = (_answer(predict, view, mirrored) for view, mirrored in views(lightness))
    height, width = ab.shape[1:3]
    for other_ab, other_confidence in others:
        ab = ab + resize(other_ab, height, width)
        confidence = confidence + resize(other_confidence, height, width)
    count = np.float32(1 + len(others))
    return ab / count, confidence / count


def views(lightness: np.ndarray) -> Iterator[tuple[np.ndarray, bool]]:
    """Yields each view of [B, H, W, 1] pictures, and whether it is mirrored; the unchanged pictures come first."""
    step = signature.SIZE_STEP
    for scale in SCALES:
        height, width = (max(step, round(side * scale / step) * step) for side in lightness.shape[1:3])
        scaled = resize(lightness, height, width)
        yield scaled, False
        yield np.ascontiguousarray(scaled[:, :, ::-1]), True


def resize(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes [B, h, w, C] floats bilinearly to [B, height, width, C]."""
    if images.shape[1:3] == (height, width):
        return images
    scaled = [cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR) for image in images]
    return np.stack(scaled).reshape(len(images), height, width, images.shape[3])


def _answer(predict: Callable[[np.ndarray], Answers], view: np.ndarray, mirrored: bool) -> Answers:
    ab, confidence = predict(view)
    if mirrored:
        ab, confidence = (np.ascontiguousarray(one[:, :, ::-1]) for one in (ab, confidence))
    return ab, confidence
