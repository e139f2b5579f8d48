"""A small real model: a SavedModel whose colours depend on lightness, sealed into a bundle."""

import pathlib

import pytest
import tensorflow as tf

from photochrom import bundle, signature


class Tint(tf.Module):
    """Warm shadows, cool lights; fails on pictures that are white all over, as a model may."""

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 1], tf.float32, name=signature.LIGHTNESS)])
    def predict(self, lightness):
        check = tf.debugging.assert_less(tf.reduce_min(lightness, axis=[1, 2, 3]), 99.0, message="all white")
        with tf.control_dependencies([check]):
            small = tf.nn.avg_pool2d(lightness, 2, 2, "SAME")
        ab = tf.concat([small * 0 + 5, (50 - small) * 0.4], axis=-1)
        return {signature.AB: ab, signature.CONFIDENCE: small * 0 + 0.5}


def make_bundle(folder: pathlib.Path, name: str = "tint") -> str:
    """Seals the model into `folder`."""
    model = Tint()
    tf.saved_model.save(model, str(folder / "saved_model"), signatures={signature.NAME: model.predict})
    bundle.seal(folder, {"name": name, "image_size": 64, "ab_stride": 2})
    return str(folder)


@pytest.fixture(scope="session")
def tint(tmp_path_factory) -> str:
    """The path of a bundle."""
    return make_bundle(tmp_path_factory.mktemp("bundle"))
