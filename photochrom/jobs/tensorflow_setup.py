"""Imports TensorFlow with fixed kernels, and suppresses its native start-up logging."""

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator


def choose_kernels() -> None:
    """Makes a TensorFlow that is imported later use oneDNN, its default on some processors only.

    Its other kernels round a picture differently in another batch, and a copy must not depend on the rest of its batch.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def import_tensorflow() -> None:
    """Imports TensorFlow and looks for devices, silently; its output is shown if that fails."""
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
