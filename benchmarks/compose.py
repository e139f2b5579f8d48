"""Composing a copy (grid, L*, gamut) against bilinear enlargement and OpenCV's 8-bit Lab conversion."""

import argparse
import pathlib
import time
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

from benchmarks import photographs
from photochrom.color import cielab, compose, upsampling
from photochrom.color.lightness import Lightness

_ROUNDS = 5
# Size of the model's ab, px.
_AB_SIZE = (48, 64)


def ratios(folder: pathlib.Path, height: int = 3000, width: int = 4000) -> dict[str, float]:
    """Returns for each kind of scan the processor time of composing over OpenCV's, each the least of some rounds."""
    with Image.open(photographs.paths(folder)[0]) as image:
        rgb = np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC))
    ab = cv2.resize(cielab.rgb_to_lab(rgb)[..., 1:], _AB_SIZE[::-1], interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    toned = np.dstack([gray, gray, gray // 2])
    scans = {"8-bit gray": gray, "8-bit toned": toned, "16-bit gray": gray.astype(np.uint16) * 257}
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    plain = _seconds(lambda: _plain(gray, ab))
    found = {name: _seconds(lambda scan=scan: _composed(scan, ab)) / plain for name, scan in scans.items()}
    cv2.setNumThreads(threads)
    print(f"  bilinear enlargement and OpenCV's Lab conversion, {width}x{height}: {1000 * plain:.0f} ms")
    return found


def _composed(pixels: np.ndarray, ab: np.ndarray) -> None:
    lightness = Lightness(pixels)
    colours = upsampling.Upsampler(ab, lightness)
    for rows in compose.bands(*lightness.shape):
        compose.compose_rows(lightness, colours, rows, depth=pixels.dtype)


def _plain(gray: np.ndarray, ab: np.ndarray) -> None:
    """Takes gray levels for L*, cuts ab to whole numbers, clips what sRGB cannot show."""
    enlarged = cv2.resize(np.clip(ab + 128, 0, 255).astype(np.uint8), gray.shape[::-1], interpolation=cv2.INTER_LINEAR)
    cv2.cvtColor(cv2.merge([gray, enlarged]), cv2.COLOR_Lab2RGB)


def _seconds(work: Callable[[], None]) -> float:
    work()  # compiles
    durations = []
    for _ in range(_ROUNDS):
        started = time.process_time()
        work()
        durations.append(time.process_time() - started)
    return min(durations)


def main() -> None:
    """Prints the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", required=True, type=pathlib.Path, help="folder of colour photographs, JPEG")
    for name, ratio in ratios(parser.parse_args().photographs).items():
        print(f"{name}: {ratio:.2f}")


if __name__ == "__main__":
    main()
