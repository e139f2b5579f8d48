"""The bundle that comes with the project."""

import numpy as np
import tensorflow as tf

from photochrom import bundle, signature


def test_it_is_whole_and_small():
    opened = bundle.open_bundle(bundle.DEFAULT)
    size = sum(path.stat().st_size for path in opened.path.rglob("*") if path.is_file())
    assert size <= 25_000_000
    assert (opened.path / "MODEL_CARD.md").read_text().startswith("# photochrom")
    assert opened.info["licences"]["backbone_weights"].startswith("Apache-2.0")


def test_it_colours_a_clear_sky_blue_and_says_how_sure_it_is():
    loaded = tf.saved_model.load(bundle.open_bundle(bundle.DEFAULT).saved_model)
    rows = np.linspace(75, 60, 160, dtype=np.float32)
    land = np.random.default_rng(0).uniform(25, 45, (96, 256)).astype(np.float32)
    lightness = np.concatenate([np.repeat(rows[:, None], 256, axis=1), land])[None, ..., None]
    outputs = loaded.signatures[signature.NAME](**{signature.LIGHTNESS: tf.constant(lightness)})
    ab, confidence = outputs[signature.AB].numpy()[0], outputs[signature.CONFIDENCE].numpy()
    assert ab.shape == (64, 64, 2)
    assert ab[4:30, 8:-8, 1].mean() < -3  # b* below 0 is blue
    assert 0 < confidence.min() < confidence.max() < 1
