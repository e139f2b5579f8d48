import numpy as np
import pytest
from scipy import linalg

from photochrom import errors
from trainer.evaluation import frechet
from trainer.model import weights

pytestmark = pytest.mark.job  # whole jobs or trainings


def _by_definition(features, other):
    means = [x.mean(axis=0) for x in (features, other)]
    covariances = [np.cov(x, rowvar=False) for x in (features, other)]
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    return np.square(means[0] - means[1]).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)


@pytest.mark.parametrize("count", [300, 15])  # the second has a covariance without full rank
def test_distance_agrees_with_definition(count):
    random = np.random.default_rng(0)
    features, other = random.normal(size=(count, 20)), random.normal(0.3, 1.5, (count + 5, 20))
    assert frechet.distance(features, other) == pytest.approx(_by_definition(features, other), rel=1e-6)
    assert frechet.distance(features, features) == pytest.approx(0, abs=1e-9)


def test_distance_of_one_dimension_by_hand():
    # Means 0 and 4, deviations sqrt(2) and 3 sqrt(2): 4^2 + (3 - 1)^2 * 2.
    assert frechet.distance(np.array([[-1.0], [1]]), np.array([[1.0], [7]])) == pytest.approx(24)


def test_one_photograph_has_no_distance():
    assert np.isnan(frechet.distance(np.zeros((1, 5)), np.zeros((9, 5))))


def test_features_are_averages_over_normalised_pictures(photographs):
    network = frechet.load("imagenet")
    rgb = photographs["coffee"][None, :96, :96]
    inputs = (rgb / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    backbone = weights.load_backbone("EfficientNetLite0", weights.fetch("imagenet", "EfficientNetLite0"))
    expected = np.asarray(backbone.network(inputs)).mean(axis=(1, 2))
    assert len(network.sha256) == 64
    np.testing.assert_allclose(network.extract(rgb), expected, atol=1e-4)


def test_missing_weights_are_named():
    with pytest.raises(errors.UsageError, match=r"--frechet_weights is none.keras, but there is no such file"):
        frechet.load("none.keras")
