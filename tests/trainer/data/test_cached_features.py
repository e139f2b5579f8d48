"""Features computed once by prepare, and training on them: a real network, real photographs, whole jobs."""

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from photochrom import errors
from photochrom.model import bundle
from pipelines import prepare
from tests.support import counters
from trainer import features, train
from trainer.config import TrainConfig
from trainer.data.dataset import Dataset
from trainer.data.stream import MAPS, TrainStream
from trainer.model import build, weights
from trainer.training import loop, phases, reporting

# One worker prepares the dataset that several tests share.
pytestmark = [pytest.mark.job, pytest.mark.xdist_group("test_cached_features")]

NETWORK = ("--backbone=EfficientNetLite0", "--backbone_weights=imagenet")
STEPS = 4
FLAGS = {
    "--width": 4,
    "--decoder_width": 8,
    "--batch_size": 4,
    "--steps": STEPS,
    "--fine_tune_steps": 0,
    "--confidence_steps": 0,
    "--eval_every": 99,
    "--eval_examples": 1,
}


def _prepare(photo_folder, output, *flags):
    return prepare.run(
        [f"--input={photo_folder}", f"--output={output}", "--image_size=64", "--split=train=0.7,validation=0.3",
         "--num_shards=2", "--near_duplicates=ignore", *flags]
    )  # fmt: skip


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A features bundle."""
    return features.run([f"--output={tmp_path_factory.mktemp('features') / 'lite0'}", *NETWORK])


@pytest.fixture(scope="module")
def embedded(photo_folder, network, tmp_path_factory):
    """A dataset with its features."""
    output = tmp_path_factory.mktemp("embedded") / "lab"
    _prepare(photo_folder, output, f"--embed={network.path}")
    return output


@pytest.fixture
def copied(embedded, tmp_path):
    return shutil.copytree(embedded, tmp_path / "lab")


def _info(dataset):
    return json.loads((dataset / "dataset_info.json").read_text())


def test_maps_match_the_network_outputs(embedded, network):
    opened = Dataset(embedded)
    stream = TrainStream(opened, 4, 8, 0, features=opened.cached_features(_backbone(network)))
    batch = next(iter(stream.batches(0)))
    see = tf.saved_model.load(network.saved_model).signatures["serving_default"]
    expected = see(lightness=batch["lightness"])
    assert [one.shape[1:3] for one in batch[MAPS]] == [(24, 24), (12, 12), (6, 6), (3, 3)]  # of 96 px, the least
    for i, one in enumerate(batch[MAPS]):
        np.testing.assert_allclose(one, expected[f"map_{i}"], rtol=1e-3, atol=1e-3)


def test_training_on_features_has_same_losses(embedded, tmp_path, monkeypatch):
    cached = []
    monkeypatch.setattr(reporting.Report, "train", lambda self, step, _, values: cached.append(values["loss"]))
    train.run([f"{flag}={value}" for flag, value in FLAGS.items()] + [f"--model_dir={tmp_path}", "--cached_features"]
              + [f"--data={embedded}", *NETWORK])  # fmt: skip
    assert len(cached) == STEPS
    np.testing.assert_allclose(cached, _computed_losses(embedded), rtol=1e-3)


def _computed_losses(dataset):
    """Computes the losses of the same steps, weights and photographs with the backbone in the graph."""
    config = TrainConfig(data="", model_dir="", batch_size=4, steps=STEPS)
    keras.utils.set_random_seed(1 + config.seed)
    backbone = weights.load_backbone("EfficientNetLite0", weights.fetch("imagenet", "EfficientNetLite0"))
    colorizer = build.build_model(build.Shape(4, 8, 2), backbone)
    stream = TrainStream(Dataset(dataset), 4, config.shuffle_buffer, config.seed, mirror=False)
    phase = phases.make_phases(config, colorizer, stream)[0]
    step = loop.make_train_step(tf.distribute.get_strategy(), phase, config)
    return [float(step(batch)["loss"]) for batch in stream.batches(0).take(STEPS)]


def test_dataset_digest_does_not_depend_on_features(photo_folder, embedded, network, tmp_path):
    plain = tmp_path / "lab"
    _prepare(photo_folder, plain)
    assert _info(plain)["embedding"] is None
    assert _info(plain)["digest"] == _info(embedded)["digest"]
    with pytest.raises(errors.UsageError, match=r"--cached_features is given, but .* has none; run the same"):
        Dataset(plain).cached_features(_backbone(network))


def test_features_are_kept_and_deleted_without_embed(photo_folder, copied, network):
    files = sorted((copied / "embeddings").iterdir())
    assert [file.name for file in files] == [f"train-0000{i}-of-00002.{end}" for i in (0, 1) for end in ("json", "npy")]
    before = [file.stat().st_mtime_ns for file in files]
    result = _prepare(photo_folder, copied, f"--embed={network.path}")
    counted = counters.of(result)
    assert counted["embeddings-kept"] == _info(copied)["splits"]["train"]["examples"]
    assert [file.stat().st_mtime_ns for file in files] == before
    _prepare(photo_folder, copied)
    assert not list((copied / "embeddings").iterdir()) and _info(copied)["embedding"] is None


def test_features_of_other_records_or_network_are_refused(copied, network):
    opened = Dataset(copied)
    with pytest.raises(errors.UsageError, match=r"of weights_digest sha256:\w+, the run's is sha256:00"):
        opened.cached_features({**_backbone(network), "weights_digest": "sha256:00"})
    with pytest.raises(
        errors.UsageError, match=r"cached features of backbone EfficientNetLite0, the run's is ResNet50"
    ):
        opened.cached_features({**_backbone(network), "backbone": "ResNet50"})
    info = _info(copied)
    info["splits"]["train"]["sha256"][0] = "0" * 64
    (copied / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(errors.UsageError, match="cached features of other records than its present ones"):
        Dataset(copied).cached_features(_backbone(network))


def test_damaged_features_are_refused(copied, network):
    file = copied / "embeddings" / "train-00000-of-00002.npy"
    file.write_bytes(file.read_bytes()[:-2])
    with pytest.raises(errors.UsageError, match="npy is missing or broken"):
        Dataset(copied).cached_features(_backbone(network))
    np.save(file, np.zeros((3, 2), np.float16))
    with pytest.raises(errors.UsageError, match=r"holds float16 \[3, 2\], expected float16 \[\d+, \d+\]"):
        Dataset(copied).cached_features(_backbone(network))


def test_features_bundle_and_colorizer_are_distinguished(network, tint, photo_folder, tmp_path):
    with pytest.raises(errors.UsageError, match="holds a features model, expected a colorizer model"):
        bundle.open_bundle(str(network.path))
    with pytest.raises(errors.UsageError, match="holds a colorizer model, expected a features model"):
        _prepare(photo_folder, tmp_path / "lab", f"--embed={tint}")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--backbone=none"], "--backbone is none, which has no features"),
        (["--backbone=Nothing"], "--backbone is Nothing, expected none or one of"),
        (["--output=/"], "--output / exists already"),
        (["--output=gs://b/lite0"], "--output is gs://b/lite0, expected a local folder"),
    ],
)
def test_features_command_refuses_wrong_flags(tmp_path, flags, message):
    with pytest.raises(errors.UsageError, match=message):
        features.run([f"--output={tmp_path / 'new'}", *NETWORK, *flags])


@pytest.mark.parametrize("flag", ["--backbone=none", "--init=default"])
def test_cached_features_require_a_frozen_pretrained_network(dataset, tmp_path, flag):
    with pytest.raises(errors.UsageError, match=f"--cached_features does not go with {flag.split('=default')[0]}"):
        train.run([f"--data={dataset}", f"--model_dir={tmp_path}", flag, "--cached_features"])


def _backbone(network):
    return {name: network.info[name] for name in ("backbone", "weights_digest")}
