"""A small signature of a picture, its perceptual hash, and the buckets in which its near-duplicates are found.

The hash is the pHash of C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010: low
frequencies of the cosine transform of the lightness, each a bit, against their median. A mirrored copy is the same
picture, since training mirrors: its odd horizontal frequencies have the opposite sign, so every picture is hashed in
the orientation that makes a sum of these positive.

Comparing all pairs of hashes would take years for an archive. The signs of the lowest frequencies are a bucket's
number. A picture is assigned to its own bucket and to those that result from inverting its least certain signs
(multi-probe: Q. Lv et al., "Multi-Probe LSH", VLDB 2007). Two pictures then share a bucket if every sign in which they
differ is uncertain in one of them.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from photochrom.color import cielab
from photochrom.imaging import resizing

# To be changed when the same picture gets another signature.
VERSION = 1
# Side of the signature's lightness and ab, px.
LIGHTNESS_SIZE, AB_SIZE = 16, 8
SIGNATURE_BYTES = LIGHTNESS_SIZE**2 + 2 * AB_SIZE**2
HASH_BITS = 64
# Measured on 727 photographs and their copies cropped by 2%, mirrored, brightened and saved at quality 60: 99.9% of the
# pairs that share a bucket differ in at most 14 bits. So do 261 of 13 million pairs of different photographs.
MAX_DISTANCE = 14

_BUCKET_BITS = 20
_UNCERTAIN_BITS = 4
# The orientation is the sign of the sum of this many of the lowest odd frequencies.
_ODD_SUMMED = 3
# The certainty of a sign is the ratio of its frequency to the change of it by a crop of 2% and by noise. Noise is a
# share of the picture's contrast.
_CROP, _NOISE = 0.02, 0.003
_LOWEST = sorted(((i, j) for i in range(9) for j in range(9) if i + j), key=lambda ij: (sum(ij), ij))[:_BUCKET_BITS]
_ROWS, _COLUMNS = (np.array(axis) for axis in zip(*_LOWEST, strict=True))
_ODD = _COLUMNS % 2 == 1
_MIRROR = np.where(np.arange(8) % 2 == 0, -1.0, 1.0)  # of columns 1 to 8: the first is odd


class Probe(NamedTuple):
    """A bucket that a picture is in, and its hash, both uint, of the picture in the same orientation."""

    bucket: int
    hash: int


def signature(rgb: np.ndarray) -> bytes:
    """Returns the signature of [H, W, 3] uint8 sRGB: SIGNATURE_BYTES of a thumbnail in Lab, squashed to a square."""
    lab = cielab.rgb_to_lab(resizing.resize(rgb, LIGHTNESS_SIZE, LIGHTNESS_SIZE))
    lightness = np.rint(lab[..., 0] * 2.55).astype(np.uint8)
    ab = np.rint(resizing.resize(lab[..., 1:], AB_SIZE, AB_SIZE)).astype(np.int8)
    return lightness.tobytes() + ab.tobytes()


def unpack(signature: bytes) -> np.ndarray:
    """Returns [16, 16, 3] float64 CIE L*a*b* of a signature."""
    lightness = np.frombuffer(signature, np.uint8, LIGHTNESS_SIZE**2).reshape(LIGHTNESS_SIZE, LIGHTNESS_SIZE, 1)
    small_ab = np.frombuffer(signature, np.int8, offset=LIGHTNESS_SIZE**2).reshape(AB_SIZE, AB_SIZE, 2)
    ab = cv2.resize(small_ab.astype(np.float64), lightness.shape[:2], interpolation=cv2.INTER_LINEAR)
    return np.concatenate([lightness / 2.55, ab], axis=2)


def derivatives(lab: np.ndarray) -> list[np.ndarray]:
    """Returns the derivatives of [N, N, C] by translation right and down, and by horizontal and vertical scaling.

    Four arrays [N, N, C], for a step of half the picture's side.
    """
    size = len(lab)
    down, right = (np.gradient(lab, axis=axis) * (size / 2) for axis in (0, 1))
    place = ((np.arange(size) + 0.5) / size * 2 - 1).reshape((size, 1) + (1,) * (lab.ndim - 2))
    return [right, down, right * place.swapaxes(0, 1), down * place]


def probes(signature: bytes) -> list[Probe]:
    """Returns the buckets of a picture, at most 2 ** 4, in a stable order."""
    lightness = unpack(signature)[..., 0]
    waves = cv2.dct(lightness)
    values = waves[_ROWS, _COLUMNS]
    crop = [cv2.dct(np.ascontiguousarray(change))[_ROWS, _COLUMNS] for change in derivatives(lightness)]
    shaken = _CROP**2 * np.square(crop).sum(axis=0)  # [20], squared
    noise = _NOISE * float(np.linalg.norm(lightness - lightness.mean())) + 1e-9
    summed = np.flatnonzero(_ODD)[:_ODD_SUMMED]
    side = float(values[summed].sum())
    certainty = np.abs(values) / (np.sqrt(shaken) + noise)
    side_certainty = abs(side) / (float(np.sqrt(shaken[summed].sum())) + noise * _ODD_SUMMED**0.5)
    least = np.argsort(np.append(certainty, side_certainty), kind="stable")[:_UNCERTAIN_BITS]
    hashes = [_hash(waves, mirrored) for mirrored in (False, True)]
    return sorted(set(_flipped(values, side < 0, least.tolist(), hashes)))


def _flipped(values: np.ndarray, mirrored: bool, least: list[int], hashes: list[int]) -> Iterator[Probe]:
    """Yields a probe for each subset of the least certain signs; index _BUCKET_BITS is the orientation."""
    signs = [sum(1 << i for i, bit in enumerate(np.where(_ODD & turn, -values, values) > 0) if bit) for turn in (0, 1)]
    for count in range(len(least) + 1):
        for chosen in itertools.combinations(least, count):
            turned = mirrored ^ (_BUCKET_BITS in chosen)
            yield Probe(signs[turned] ^ sum(1 << i for i in chosen if i < _BUCKET_BITS), hashes[turned])


def _hash(waves: np.ndarray, mirrored: bool) -> int:
    """Returns the 64 bits of Zauner 2010, section 3.2.1: frequencies 1 to 8 that are above their median."""
    low = waves[1:9, 1:9] * (_MIRROR if mirrored else 1.0)
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")
