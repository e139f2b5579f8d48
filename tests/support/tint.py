"""A real, tiny model: for tests, and for benchmarks that measure everything except the network."""

import pathlib

import tensorflow as tf

from photochrom.model import bundle, signature


class Tint(tf.Module):
    """Colours shadows warm and lights cool, scaled by `strength`; fails on white pictures, as a model may."""

    def __init__(self, strength: float = 1.0):
        super().__init__()
        self.strength = strength

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 1], tf.float32, name=signature.LIGHTNESS)])
    def predict(self, lightness):
        check = tf.debugging.assert_less(tf.reduce_min(lightness, axis=[1, 2, 3]), 99.0, message="all white")
        with tf.control_dependencies([check]):
            small = tf.nn.avg_pool2d(lightness, 2, 2, "SAME")
        ab = tf.concat([small * 0 + 5, (50 - small) * 0.4], axis=-1) * self.strength
        return {signature.AB: ab, signature.CONFIDENCE: small * 0 + 0.5}


def make_bundle(folder: pathlib.Path, name: str = "tint", strength: float = 1.0) -> str:
    """Seals the model into `folder` and returns its path."""
    model = Tint(strength)
    tf.saved_model.save(model, str(folder / "saved_model"), signatures={signature.NAME: model.predict})
    bundle.seal(folder, {"name": name, "image_size": 64, "ab_stride": 2})
    return str(folder)
