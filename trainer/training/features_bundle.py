"""A pretrained network as a features bundle: what `photochrom prepare --embed` runs, without knowing the trainer."""

import pathlib
import shutil

import tensorflow as tf

from photochrom.model import bundle, signature
from trainer.model.backbones import Backbone
from trainer.training import hosts


class Seen(tf.Module):
    """A backbone as prepare calls it: L* in, its maps out as photochrom.model.signature names them."""

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
        folder: a new one; it is whole once it is there.
        weights: where they come from, for whoever reads model.json.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    seen = Seen(backbone)
    tf.saved_model.save(seen, str(partial / "saved_model"), signatures={signature.NAME: seen.__call__})
    bundle.seal(partial, {"kind": bundle.FEATURES, **describe(backbone), "backbone_weights": weights})
    partial.rename(folder)
    return bundle.open_bundle(str(folder), bundle.FEATURES)


def describe(backbone: Backbone) -> dict[str, str]:
    """Returns by what training recognises features: those of the same network with the same weights."""
    return {"backbone": backbone.architecture, "weights_digest": f"sha256:{hosts.digest_weights(backbone)}"}
