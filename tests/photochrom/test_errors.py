import pickle

import pytest

from photochrom import errors


def subclasses(cls):
    return [cls, *(below for child in cls.__subclasses__() for below in subclasses(child))]


@pytest.mark.parametrize("cls", subclasses(errors.DataError))
def test_data_errors_cross_processes_whole(cls):
    error = pickle.loads(pickle.dumps(cls("what was wrong", "reason", "stage")))
    assert (type(error), str(error), error.reason, error.stage) == (cls, "what was wrong", "reason", "stage")


@pytest.mark.parametrize("cls", subclasses(errors.PhotochromError))
def test_docstring_draws_the_tree(cls):
    assert f" {cls.__name__} " in f" {errors.__doc__} ".replace("\n", " ")


def test_failure_keeps_content_of_error():
    failure = errors.Failure.of("key", errors.TooLarge("too much"))
    assert failure == errors.Failure("key", "decode", "too_large", "too much")
    assert errors.Failure.of("key", failure.to_error()) == failure


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TypeError("int() argument must be a string"), "unexpected content (TypeError)"),
        (ValueError("invalid literal for int() with base 10: b'x'"), "unexpected content (ValueError)"),
        (ValueError("two\n\nlines "), "two lines"),
        (KeyError("x"), "unexpected content (KeyError)"),
        (ValueError("Non-decimal-ASCII found in header: b'secret'"), "Non-decimal-ASCII found in header: ..."),
        (SyntaxError("broken PNG file (chunk b'\\x00a\\'')"), "broken PNG file (chunk ...')"),
        (OSError("image file is truncated"), "image file is truncated"),
        (OSError(), "OSError"),
    ],
)
def test_said_leaves_out_python_and_bytes(error, text):
    assert errors.said(error) == text
