"""Export of a pretrained network as a features bundle, which `photochrom prepare --embed` runs without the trainer."""

import pathlib
import shutil

import tensorflow as tf

from photochrom.model import bundle, signature
from trainer.model.backbones import Backbone
from trainer.training import hosts


class FeatureExtractor(tf.Module):
    """A backbone with the inputs and outputs of photochrom.model.signature: L* to named maps."""

    def __init__(self, backbone: Backbone):
        super().__init__()
        self.backbone = backbone

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 1], tf.float32, name=signature.LIGHTNESS)])
    def __call__(self, lightness: tf.Tensor) -> dict[str, tf.Tensor]:
        return {signature.MAP.format(i): one for i, one in enumerate(self.backbone(lightness))}


def export(backbone: Backbone, folder: pathlib.Path, weights: str) -> bundle.Bundle:
    """Writes the bundle of a network.

    Args:
        backbone: the network.
        folder: must not exist; created by a rename once it is complete.
        weights: their source, as model.json states it.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    extractor = FeatureExtractor(backbone)
    tf.saved_model.save(extractor, str(partial / "saved_model"), signatures={signature.NAME: extractor.__call__})
    bundle.seal(partial, {"kind": bundle.FEATURES, **describe(backbone), "backbone_weights": weights})
    partial.rename(folder)
    return bundle.open_bundle(str(folder), bundle.FEATURES)


def describe(backbone: Backbone) -> dict[str, str]:
    """Returns the identity of a network and its weights, by which training checks cached features."""
    return {"backbone": backbone.architecture, "weights_digest": f"sha256:{hosts.digest_weights(backbone)}"}
