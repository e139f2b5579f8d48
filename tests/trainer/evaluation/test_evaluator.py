import keras
import numpy as np
import pytest

from photochrom.color import cielab
from photochrom.model import bundle
from trainer.evaluation import evaluator, frechet, lpips
from trainer.evaluation.examples import Example, Examples


class _Crops(Examples):
    """Crops of real photographs."""

    def __init__(self, photographs):
        super().__init__({"kind": "crops"})
        self._examples = [
            Example(name, cielab.rgb_to_lab(np.ascontiguousarray(rgb[:64, :64])), name)
            for name, rgb in photographs.items()
        ]

    def __len__(self):
        return len(self._examples)

    def _read(self):
        return iter(self._examples)


@pytest.fixture(scope="module")
def crops(photographs):
    return _Crops(photographs)


def test_networks_get_pictures_of_the_metrics(tint, crops, lpips_weights):
    distance = lpips.Lpips(lpips_weights)
    evaluation = evaluator.Evaluator(bundle.open_bundle(tint), crops, evaluator.Networks(distance))
    for one in evaluation.evaluate(crops, 3):
        for method in evaluator.METHODS:
            rgb, truth = one.pictures[method][None], one.pictures[evaluator.TRUTH][None]
            expected = distance.compare({method: rgb}, truth)[method]
            assert one.scores[method][lpips.NAME] == pytest.approx(expected, rel=1e-4)


def test_results_are_independent_of_batch_size(tint, crops):
    evaluation = evaluator.Evaluator(bundle.open_bundle(tint), crops, evaluator.Networks())
    together, alone = (list(evaluation.evaluate(crops, size)) for size in (4, 1))
    for a, b in zip(together, alone, strict=True):
        assert (a.key, a.scores, a.confidence) == (b.key, b.scores, b.confidence)
        np.testing.assert_array_equal(a.sweep, b.sweep)


def test_histograms_count_every_pixel(tint, crops):
    evaluation = evaluator.Evaluator(bundle.open_bundle(tint), crops, evaluator.Networks())
    for one in evaluation.evaluate(crops, 4):
        assert {name: counts.sum() for name, counts in one.histograms.items()} == dict.fromkeys(one.pictures, 64 * 64)
        assert one.tally[0].sum() == 32 * 32
        assert one.confidence == 0.5


@pytest.fixture
def networks(lpips_weights):
    """LPIPS with random weights, and features of which the first is the mean of red."""
    return evaluator.Networks(lpips.Lpips(lpips_weights), frechet.FeatureNetwork(keras.layers.Identity(), "0" * 64))


def test_models_together_equal_models_alone(tint, strong_tint, crops, networks):
    first, second = map(bundle.open_bundle, (tint, strong_tint))
    together = list(evaluator.Evaluator(first, crops, networks, others=[second]).evaluate_all(crops, 3))
    for place, opened in enumerate((first, second)):
        alone = evaluator.Evaluator(opened, crops, networks).evaluate(crops, 3)
        for results, expected in zip(together, alone, strict=True):
            assert results[place].key == expected.key
            assert results[place].scores == expected.scores
            for name, features in expected.features.items():
                np.testing.assert_array_equal(results[place].features[name], features)


def test_models_share_the_baselines(tint, strong_tint, crops):
    first, second = map(bundle.open_bundle, (tint, strong_tint))
    evaluation = evaluator.Evaluator(first, crops, evaluator.Networks(), others=[second])
    for a, b in evaluation.evaluate_all(crops, 4):
        assert all(a.pictures[name] is b.pictures[name] for name in ("gray", "mean_colour", "truth"))
        assert a.scores["model"]["chroma"] < b.scores["model"]["chroma"]
