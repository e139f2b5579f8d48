"""Frechet distance of the set of results from the set of photographs, in the features of a network.

The network is EfficientNet-Lite0 trained on ImageNet, as the name states: distances in the features of other networks
(the usual FID uses Inception-v3) are not comparable.

Sources: Dowson, Landau, "The Frechet distance between multivariate normal distributions", Journal of Multivariate
Analysis 12, 1982; Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter, "GANs Trained by a Two Time-Scale Update Rule
Converge to a Local Nash Equilibrium", NeurIPS 2017, for its use on features of a network.
"""

import keras
import numpy as np
import tensorflow as tf

from photochrom import errors
from trainer.model import weights
from trainer.model.efficientnet_lite import preprocess_input

NAME = "frechet_efficientnet_lite0"
_ARCHITECTURE = "EfficientNetLite0"


class FeatureNetwork:
    """Features of pictures by EfficientNet-Lite0.

    Attributes:
        sha256: digest of the weights file, hex.
    """

    def __init__(self, network: keras.Model, sha256: str):
        """Args: network: [B, H, W, 3] -> [B, h, w, D]. sha256: digest of the weights file, hex."""
        self.sha256 = sha256
        self._network = network
        pictures = tf.TensorSpec([None, None, None, 3], tf.uint8)
        self._features = tf.function(self._compute_features, input_signature=[pictures])

    def extract(self, rgb: np.ndarray) -> np.ndarray:
        """Returns [B, D] float32 of [B, H, W, 3] uint8 sRGB: the last feature map, averaged over pixels."""
        return self._features(rgb).numpy()

    def _compute_features(self, rgb: tf.Tensor) -> tf.Tensor:
        features = self._network(preprocess_input(tf.cast(rgb, tf.float32)), training=False)
        return tf.reduce_mean(features, axis=[1, 2])


def load(source: str) -> FeatureNetwork:
    """Builds the network with the weights that `trainer.model.weights.fetch` finds.

    Raises:
        UsageError: the weights are missing or belong to another network.
    """
    try:
        found = weights.fetch(source, _ARCHITECTURE)
        network = weights.load_backbone(_ARCHITECTURE, found).network
    except errors.UsageError as error:
        raise errors.UsageError(str(error).replace("--backbone_weights", "--frechet_weights")) from error
    return FeatureNetwork(network, found.sha256)


def distance(features: np.ndarray, true_features: np.ndarray) -> float:
    """Returns the Frechet distance (the squared one, as is usual) between the normal distributions fitted to two sets.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)). The rank of a covariance is at most the number of photographs, so the
    matrix root is not computed: with centred features A and B divided by the root of their number less one,
    C1 = A'A and C2 = B'B, and tr (C1 C2)^(1/2) is the sum of the singular values of A B'. That is exact at any rank.
    The distance of a finite sample is too large, the more so the fewer the photographs: compare only distances on the
    same photographs.

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
