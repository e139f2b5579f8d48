"""Imports TensorFlow with the kernels that it is to use, and without the page that its C++ libraries print."""

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator


def choose_kernels() -> None:
    """Has a TensorFlow that is imported later use oneDNN, which it does by itself on some processors alone.

    Its own kernels round a picture otherwise in another batch, and a copy must not depend on what else is in its batch.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def import_tensorflow() -> None:
    """Imports TensorFlow and looks for devices, silently; what was printed is shown if that fails."""
    choose_kernels()
    with _native_stderr_held():
        importlib.import_module("tensorflow").config.list_physical_devices()


@contextlib.contextmanager
def _native_stderr_held() -> Iterator[None]:
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
