"""Frechet distance: how far the results as a set are from photographs as a set, in the features of a network.

The network is EfficientNet-Lite0 trained on ImageNet, and the name says so: distances in other networks' features
(the usual FID has Inception-v3's) are other numbers.

Sources: Dowson, Landau, "The Frechet distance between multivariate normal distributions", Journal of Multivariate
Analysis 12, 1982; Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter, "GANs Trained by a Two Time-Scale Update Rule
Converge to a Local Nash Equilibrium", NeurIPS 2017, for its use on features of a network.
"""

import hashlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from photochrom import errors

NAME = "frechet_efficientnet_lite0"
FEATURES = 1280
_SUFFIX = ".keras"
# Mean and standard deviation of ImageNet's RGB in 0..1, by which the network's input is normalised.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class FeatureNetwork:
    """What EfficientNet-Lite0 sees in pictures.

    Attributes:
        sha256: of the file of its weights, hex.
    """

    def __init__(self, network: keras.Model, sha256: str):
        """Args: network: [B, H, W, 3] -> [B, h, w, FEATURES]. sha256: of the file of its weights."""
        self.sha256 = sha256
        self._network = network
        self._size = network.input_shape[1:3]  # (None, None) where it takes any
        pictures = tf.TensorSpec([None, None, None, 3], tf.uint8)
        self._features = tf.function(self._compute_features, input_signature=[pictures])

    def extract(self, rgb: np.ndarray) -> np.ndarray:
        """Returns [B, FEATURES] float32 of [B, H, W, 3] uint8 sRGB: the last feature map, averaged over pixels."""
        return self._features(rgb).numpy()

    def _compute_features(self, rgb: tf.Tensor) -> tf.Tensor:
        x = tf.cast(rgb, tf.float32)
        if None not in self._size:
            x = tf.image.resize(x, self._size, antialias=True)
        x = (x / 255 - _MEAN) / _DEVIATION
        return tf.reduce_mean(self._network(x, training=False), axis=[1, 2])


def load(path: str) -> FeatureNetwork:
    """Reads EfficientNet-Lite0 without its top from a .keras file.

    Raises:
        UsageError: it cannot be read, or is another network.
    """
    if not path.endswith(_SUFFIX):  # Keras reads other formats by other rules
        raise errors.UsageError(f"--frechet_weights is {path}, expected a {_SUFFIX} file")
    try:
        with open(path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        network = load_network(path)
    except Exception as error:  # a broken archive raises whatever its parts raise
        raise errors.UsageError(f"--frechet_weights {path} cannot be read: {str(error).strip()[:300]}") from error
    found = (getattr(network, "input_shape", None), getattr(network, "output_shape", None))
    if not _fits(*found):
        raise errors.UsageError(
            f"--frechet_weights {path} is a network {found[0]} -> {found[1]}, expected EfficientNet-Lite0 without its "
            f"top: (None, height, width, 3) -> (None, h, w, {FEATURES})"
        )
    return FeatureNetwork(network, sha256)


def load_network(path: str) -> keras.Model:
    """Returns the Keras model of a .keras file, without running code from it."""
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def _fits(input_shape: Any, output_shape: Any) -> bool:
    return all(isinstance(s, tuple) and len(s) == 4 for s in (input_shape, output_shape)) and (
        input_shape[-1] == 3 and output_shape[-1] == FEATURES
    )


def distance(features: np.ndarray, true_features: np.ndarray) -> float:
    """Returns the Frechet distance (the squared one, as is usual) between the normal distributions fitted to two sets.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)). The covariances have no more rank than photographs, so with fewer
    than FEATURES of them the matrix root is not computed: with centred features A and B over the root of their
    number less one, C1 = A'A and C2 = B'B, and tr (C1 C2)^(1/2) is the sum of the singular values of A B'. That is
    exact at any rank. The distance of a finite sample is too large, the more so the fewer the photographs: compare
    only what was measured on the same ones.

    Args:
        features: [N, D].
        true_features: [M, D].

    Returns:
        The distance, 0 or more; NaN for fewer than 2 photographs.
    """
    if min(len(features), len(true_features)) < 2:
        return float("nan")
    (mean, root), (true_mean, true_root) = map(_moments, (features, true_features))
    traces = np.square(root).sum() + np.square(true_root).sum()
    shared = np.linalg.svd(root @ true_root.T, compute_uv=False).sum()
    return max(float(np.square(mean - true_mean).sum() + traces - 2 * shared), 0.0)


def _moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean, [D], and a triangular root R, [min(N, D), D], of the covariance R'R."""
    features = features.astype(np.float64)
    mean = features.mean(axis=0)
    root: np.ndarray = np.linalg.qr((features - mean) / np.sqrt(len(features) - 1), mode="r")  # type: ignore[assignment]
    return mean, root
