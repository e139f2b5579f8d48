"""A tiny dataset in the layout of `photochrom prepare`.

Its transform is a hand-made SavedModel with the outputs of the real one, so that these tests need no
tensorflow-transform; the tests of whole jobs use the real prepare.
"""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from photochrom import ab_bins, color, records

SIZE = 64
STRIDE = 2


class _Transform(tf.Module):
    """What `transform_fn` of a prepared dataset computes, but for the weights: rarer is what has more chroma."""

    def __init__(self, size: int, stride: int):
        super().__init__()
        spec = {name: tf.TensorSpec([None], feature.dtype) for name, feature in records.FEATURE_SPEC.items()}

        @tf.function(input_signature=[spec])
        def transform_fn(features):
            ab = tf.cast(records.decode_ab(features["ab"], size // stride, size // stride), tf.float32)
            return {
                "lightness": records.decode_lightness(features["lightness"], size, size),
                "ab": ab,
                "weight": 0.5 + tf.norm(ab, axis=-1, keepdims=True) / 20,
                "bins": tf.zeros_like(ab),
            }

        self.transform_fn = transform_fn


def write_dataset(folder: pathlib.Path, photographs: dict[str, list], stride: int = STRIDE, shards: int = 2):
    """Writes a dataset of square uint8 RGB photographs, given by split."""
    splits = {}
    folder.mkdir(parents=True)
    for split, rgbs in photographs.items():
        size = rgbs[0].shape[0]
        parts = [rgbs[shard::shards] for shard in range(shards)]
        for shard, part in enumerate(parts):
            with open(folder / f"{split}-{shard:05d}-of-{shards:05d}.tfrecord", "wb") as file:
                for index, rgb in enumerate(part):
                    lab = color.rgb_to_lab(rgb)
                    record = records.LabRecord.from_lab(f"{split}/{shard}/{index}", lab, stride, (size, size))
                    records.write_tfrecord(file, record.to_example())
        splits[split] = {"examples": len(rgbs), "shard_lengths": [len(part) for part in parts]}
    info = {
        "format_version": records.FORMAT_VERSION,
        "settings": {"image_size": size, "ab_stride": stride, "compression": "none"},
        "splits": splits,
        "digest": "sha256:" + "0" * 64,
    }
    (folder / "dataset_info.json").write_text(json.dumps(info))
    bins = len(ab_bins.centres())
    (folder / "statistics").mkdir()
    (folder / "statistics" / "statistics.json").write_text(json.dumps({"ab_prior": [1 / bins] * bins}))
    tf.saved_model.save(_Transform(size, stride), str(folder / "transform_fn" / "transform_fn"))
    return folder


def two_colours(count: int, size: int, seed: int) -> list[np.ndarray]:
    """Returns pictures whose colour can be learned from their lightness: light sky above dark grass, noisy."""
    random = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        picture = np.empty((size, size, 3))
        horizon = random.integers(size // 4, 3 * size // 4)
        picture[:horizon] = (120, 170, 230)
        picture[horizon:] = (40, 90, 20)
        pictures.append(np.clip(picture + random.normal(0, 8, (size, size, 1)), 0, 255).astype(np.uint8))
    return pictures


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """A dataset of 12 + 4 pictures of 64 px."""
    photographs = {"train": two_colours(12, SIZE, 1), "validation": two_colours(4, SIZE, 2)}
    return write_dataset(tmp_path_factory.mktemp("data") / "lab", photographs)
