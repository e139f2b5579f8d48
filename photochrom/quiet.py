"""Imports TensorFlow without the page that its C++ libraries print before their log level can be set."""

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator


def import_tensorflow() -> None:
    """Imports TensorFlow and looks for devices, silently; what was printed is shown if that fails."""
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
