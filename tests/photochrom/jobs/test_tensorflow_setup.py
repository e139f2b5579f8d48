import os

import pytest

from photochrom.jobs import tensorflow_setup


def test_native_output_is_suppressed(capfd):
    with tensorflow_setup._native_stderr_held():
        os.write(2, b"a page of noise\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_native_output_is_shown_after_failure(capfd):
    with pytest.raises(RuntimeError), tensorflow_setup._native_stderr_held():
        os.write(2, b"the cause\n")
        raise RuntimeError
    assert capfd.readouterr().err == "the cause\n"
