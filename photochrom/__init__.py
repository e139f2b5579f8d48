"""Photochrom from Python: colorize a picture or an archive, open a dataset, evaluate a model.

    import photochrom

    model = photochrom.load_model("default")
    model.colorize("scan.tif").save("coloured.png")

Importing it imports nothing else; a name is imported when it is first used. The folders below it are the parts that
the three jobs share, and the command line.
"""

import importlib
import typing

__version__ = "0.1.0"

if typing.TYPE_CHECKING:
    from serving.api import Model, colorize_archive, load_model
    from trainer.api import evaluate, open_dataset

__all__ = ["Model", "colorize_archive", "evaluate", "load_model", "open_dataset"]
_HOMES = {
    "Model": "serving.api",
    "colorize_archive": "serving.api",
    "load_model": "serving.api",
    "evaluate": "trainer.api",
    "open_dataset": "trainer.api",
}


def __getattr__(name: str) -> typing.Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'photochrom' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
