import keras
import numpy as np
import pytest
from scipy import linalg

from photochrom import errors
from trainer import frechet


def _by_definition(features, other):
    means = [x.mean(axis=0) for x in (features, other)]
    covariances = [np.cov(x, rowvar=False) for x in (features, other)]
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    return np.square(means[0] - means[1]).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)


@pytest.mark.parametrize("count", [300, 15])  # the latter's covariance has no full rank
def test_distance_is_that_of_the_definition(count):
    random = np.random.default_rng(0)
    features, other = random.normal(size=(count, 20)), random.normal(0.3, 1.5, (count + 5, 20))
    assert frechet.distance(features, other) == pytest.approx(_by_definition(features, other), rel=1e-6)
    assert frechet.distance(features, features) == pytest.approx(0, abs=1e-9)


def test_distance_of_one_dimension_by_hand():
    # Means 0 and 4, deviations sqrt(2) and 3 sqrt(2): 4^2 + (3 - 1)^2 * 2.
    assert frechet.distance(np.array([[-1.0], [1]]), np.array([[1.0], [7]])) == pytest.approx(24)


def test_one_photograph_has_no_distance():
    assert np.isnan(frechet.distance(np.zeros((1, 5)), np.zeros((9, 5))))


def test_features_are_those_of_normalised_pictures_averaged_over_pixels(make_lite0, tmp_path, photographs):
    network = frechet.load(make_lite0(tmp_path / "lite0.keras"))
    rgb = photographs["coffee"][None, :96, :96]
    found = network.extract(rgb)
    inputs = (rgb / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    expected = np.asarray(frechet.load_network(str(tmp_path / "lite0.keras"))(inputs)).mean(axis=(1, 2))
    assert found.shape == (1, frechet.FEATURES)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_pictures_are_resized_where_the_network_has_a_fixed_size(make_lite0, tmp_path):
    network = frechet.load(make_lite0(tmp_path / "lite0.keras", size=(224, 224)))
    flat = np.full((2, 64, 64, 3), (200, 90, 30), np.uint8)
    large = np.full((2, 256, 256, 3), (200, 90, 30), np.uint8)
    np.testing.assert_allclose(network.extract(flat), network.extract(large), atol=1e-4)


def test_the_file_is_named_by_its_digest(make_lite0, tmp_path):
    path = make_lite0(tmp_path / "lite0.keras")
    assert frechet.load(path).sha256 == frechet.load(path).sha256
    assert len(frechet.load(path).sha256) == 64


def test_other_networks_and_broken_files_are_refused(make_lite0, tmp_path):
    other = make_lite0(tmp_path / "other.keras", channels=512)
    with pytest.raises(errors.UsageError, match=r"-> \(None, None, None, 512\), expected EfficientNet-Lite0"):
        frechet.load(other)
    (tmp_path / "broken.keras").write_bytes(b"PK\x03\x04")
    with pytest.raises(errors.UsageError, match=r"--frechet_weights .*broken.keras cannot be read"):
        frechet.load(str(tmp_path / "broken.keras"))
    with pytest.raises(errors.UsageError, match=r"--frechet_weights .*none.keras cannot be read: .*No such file"):
        frechet.load(str(tmp_path / "none.keras"))


def test_files_of_other_formats_are_refused():
    with pytest.raises(errors.UsageError, match=r"--frechet_weights is lite0.h5, expected a .keras file"):
        frechet.load("lite0.h5")


def test_a_network_with_code_in_it_is_refused(tmp_path):
    inputs = keras.Input((None, None, 3))
    hostile = keras.layers.Lambda(lambda x: x, output_shape=(None, None, 3))(inputs)
    keras.Model(inputs, keras.layers.Conv2D(frechet.FEATURES, 1)(hostile)).save(tmp_path / "code.keras")
    with pytest.raises(errors.UsageError, match=r"cannot be read: .*[Ll]ambda"):
        frechet.load(str(tmp_path / "code.keras"))
