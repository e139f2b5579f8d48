import dataclasses
import pathlib
import types

import pytest

from photochrom.model.bundle import Bundle
from trainer.config import TrainConfig
from trainer.model import lite_weights
from trainer.model.weights import Weights
from trainer.training.run import Run

DATASET = types.SimpleNamespace(image_size=64, ab_stride=2, digest="sha256:d")


def _run(weights=Weights("none"), starts=(), teachers=(), **settings):  # noqa: B008
    config = TrainConfig(data="lab", model_dir="run", **{"backbone": "none", **settings})
    return Run(config, None, DATASET, starts, teachers, weights)


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"name": "other"}, True),
        ({"cache_dir": "elsewhere"}, True),
        ({"promote_if_better": "current"}, True),
        ({"temperature": 0.9}, True),
        ({"chroma_ratio": 0.5}, True),
        ({"chroma_exponent": 0.8, "shrink": True, "subsets": "(a)"}, True),
        ({"batch_size": 8}, False),
        ({"source_weights": ("^street=0.5",)}, False),
        ({"seed": 1}, False),
        ({"eval_every": 7}, False),
    ],
)
def test_identity_changes_with_computing_settings_only(changed, same):
    assert (_run(**changed).identity() == _run().identity()) == same


def test_identity_has_digests_instead_of_paths():
    start = Bundle(pathlib.Path("bundle"), {"digest": "sha256:s"})
    found = _run(Weights("net.h5", pathlib.Path("net.h5"), "abc"), (start, start), (start,)).identity()
    assert (found["backbone_weights"], found["init"]) == ("sha256:abc", "sha256:s, sha256:s")
    assert found["teacher"] == "sha256:s"
    assert (found["data_digest"], found["image_size"]) == ("sha256:d", 64)
    assert not {"data", "model_dir", "backbone_weights_sha256"} & found.keys()


def test_unlabelled_dataset_is_in_the_identity():
    other = types.SimpleNamespace(image_size=64, ab_stride=2, digest="sha256:u")
    run = dataclasses.replace(_run(unlabelled="gray", teacher=("t",)), unlabelled=other)
    assert run.identity()["unlabelled_digest"] == "sha256:u" and "unlabelled" not in run.identity()
    assert "unlabelled_digest" not in _run().identity()


def test_other_dataset_changes_identity():
    run = _run()
    other = types.SimpleNamespace(image_size=64, ab_stride=2, digest="sha256:e")
    assert dataclasses.replace(run, dataset=other).identity() != run.identity()


@pytest.mark.parametrize(
    ("weights", "licence"),
    [
        (Weights("none"), "none used"),
        (Weights("imagenet"), "Apache-2.0 or MIT, as keras.applications states"),
        (Weights("imagenet", pathlib.Path("a.pth"), lite_weights.SHA256), "Apache-2.0, as efficientnet-lite0-pytorch"),
        (Weights("dir/net.h5", pathlib.Path("dir/net.h5"), "abc"), "see the source of net.h5"),
    ],
)
def test_description_states_licence_of_weights(weights, licence):
    assert _run(weights).describe()["licences"]["backbone_weights"].startswith(licence)


def test_description_repeats_origin_of_initial_bundle():
    origin = {"backbone_weights": {"source": "x", "sha256": "1"}, "licences": {"code": "MIT", "backbone_weights": "y"}}
    found = _run(starts=(Bundle(pathlib.Path("bundle"), {"digest": "sha256:s", **origin}),)).describe()
    assert {name: found[name] for name in origin} == origin
    assert found["init"] == "sha256:s"
    assert "temperature" in found["settings"] and "data" not in found["settings"]
