"""Optional packages: which extra of Photochrom installs a module, and the message where it is missing."""

import importlib.util
from collections.abc import Iterable

from photochrom import errors

# Module -> (its requirement, extra of setup.py that has it). boto3's are in photochrom.storage.s3.
EXTRAS = {
    "tensorflow_transform": ("tensorflow-transform", "prepare"),
    "skimage": ("scikit-image", "train"),
    "scipy": ("scipy", "train"),
    "jinja2": ("jinja2", "train"),
    "google.cloud.dataflow_v1beta3": ("apache-beam[gcp]", "gcp"),
}


def check(user: str, modules: Iterable[str]) -> None:
    """Checks that optional modules are installed, without importing them.

    Args:
        user: what needs them, such as `photochrom prepare`, for the message.
        modules: their names.

    Raises:
        UsageError: one is not; the message names the extra.
    """
    for module in modules:
        if not _is_installed(module):
            package, extra = EXTRAS[module]
            raise errors.UsageError(
                f"{user} needs {package}, which is not installed: pip install 'photochrom[{extra}]'"
            )


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above it
        return False
