import functools
import hashlib
import http.server
import threading

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from photochrom import errors
from trainer.model.weights import fetch, load_backbone

pytestmark = pytest.mark.job  # whole jobs or trainings

NAME = "MobileNetV3Small"


@pytest.fixture(scope="module")
def network():
    return keras.applications.MobileNetV3Small(include_top=False, weights=None, input_shape=(None, None, 3))


@pytest.fixture(scope="module", params=[".weights.h5", ".keras", ".h5"])
def file(request, network, tmp_path_factory):
    """The network's weights in each format; `.h5` is that of the files that Keras offers for download."""
    path = tmp_path_factory.mktemp("weights") / f"net{request.param}"
    if request.param == ".weights.h5":
        network.save_weights(path)
    elif request.param == ".keras":
        network.save(path)
    else:
        with h5py.File(path, "w") as opened:
            legacy_h5_format.save_weights_to_hdf5_group(opened, network)
    return path


def test_every_format_restores_weights(file, network):
    weights = fetch(str(file), NAME)
    assert weights.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    loaded = load_backbone(NAME, weights).network.get_weights()
    for expected, found in zip(network.get_weights(), loaded, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_file_of_another_architecture_is_refused(file):
    with pytest.raises(errors.UsageError, match=r"net\..* does not fit --backbone MobileNetV2 without its top: \w+"):
        load_backbone("MobileNetV2", fetch(str(file), NAME))


def test_digest_must_match(file):
    with pytest.raises(errors.UsageError, match=r"has SHA-256 \w+, --backbone_weights_sha256 says 1234"):
        fetch(str(file), NAME, "1234")


def test_broken_file_is_refused(tmp_path):
    (tmp_path / "net.h5").write_bytes(b"no weights")
    with pytest.raises(errors.UsageError, match=r"net.h5 does not fit --backbone"):
        load_backbone(NAME, fetch(str(tmp_path / "net.h5"), NAME))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("/nowhere/net.h5", "but there is no such file"),
        ("ImageNet", "expected imagenet, none or a file"),
        ("https://127.0.0.1:9/net.h5", "cannot be read"),
    ],
)
def test_unavailable_sources_are_refused(source, message):
    with pytest.raises(errors.UsageError, match=message):
        fetch(source, NAME)


def test_url_is_downloaded_once(tmp_path, monkeypatch):
    (tmp_path / "net.h5").write_bytes(b"weights")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/net.h5"
        first = fetch(url, NAME)
        (tmp_path / "net.h5").unlink()
        assert fetch(url, NAME) == first
        server.shutdown()
    assert first.sha256 == hashlib.sha256(b"weights").hexdigest()


def test_failed_imagenet_download_suggests_alternatives(monkeypatch):
    def offline(*args, **kwargs):
        raise Exception("URL fetch failure on https://storage.googleapis.com/...: None -- name resolution")

    monkeypatch.setattr("keras.src.applications.mobilenet_v3.file_utils.get_file", offline)
    with pytest.raises(errors.UsageError, match=r"cannot be downloaded \(URL fetch failure.*give a weights file"):
        load_backbone(NAME, fetch("imagenet", NAME))


def test_random_weights_are_logged(caplog):
    assert fetch("none", NAME).path is None
    assert "random weights" in caplog.text
