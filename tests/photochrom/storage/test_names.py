import pytest

from photochrom import errors
from photochrom.sources import keys
from photochrom.storage.names import check_name, printable, unescaped


@pytest.mark.parametrize("name", ["1.jpg", "p/1.jpg", "a b/ü.tif", "..hidden/x", "a..b", "-rf", "C/d"])
def test_relative_names_pass(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "is empty"),
        ("/etc/passwd", "is absolute"),
        ("../../x", "has '..'"),
        ("a/../../x", "has '..'"),
        ("a/..", "has '..'"),
        ("a//b", "has '..' or an empty part"),
        ("a/", "has '..' or an empty part"),
        ("C:/x", "has a drive letter"),
        ("c:x", "has a drive letter"),
        ("..\\x", "has a backslash"),
        ("a\0.jpg", "has a NUL"),
        ("x" * 1025, "is longer than 1024 bytes"),
        ("ü" * 513, "is longer than 1024 bytes"),
    ],
)
def test_escaping_names_are_refused(name, problem):
    with pytest.raises(errors.UnsafeName, match="expected a relative path below the archive") as caught:
        check_name(name)
    assert problem in str(caught.value)


def test_printable_text_has_no_controls():
    assert printable("a\nb\x1b[31m\udce9ü") == "a\\x0ab\\x1b[31m\\udce9ü"


def test_foreign_spaces_are_kept():
    assert printable("写真\u3000 1\u00a0.jpg") == "写真\u3000 1\u00a0.jpg"
    assert printable("a\u202eb\n\x7f\u2028") == "a\\x202eb\\x0a\\x7f\\x2028"


def test_no_escape_is_the_start_of_another():
    escapes = {printable(chr(code)) for code in range(0x110000) if printable(chr(code)) != chr(code)}
    assert len(escapes) > 2000  # surrogates, controls, format characters
    assert not any(escape[:end] in escapes for escape in escapes for end in range(1, len(escape)))


def test_printable_is_the_same_on_every_python():
    # Assigned in Unicode 15 and 16, after the tables of Python 3.11 and 3.13.
    assert printable("\U0001fae8 \U0001c800.jpg") == "\U0001fae8 \U0001c800.jpg"


@pytest.mark.parametrize(
    "name", ["a.jpg", "new\nline.jpg", "\\x0a", "\udce9", "\\", "\U000e0001", "\u202eab\\u202e", "\nab", "\u06001"]
)
def test_unescaped_key_is_the_name_again(name):
    assert unescaped(keys.of_path(name)) == name


@pytest.mark.parametrize("text", ["\\U00110000", "\\xzz", "\\u12"])
def test_unescaped_leaves_what_is_no_escape(text):
    assert unescaped(text) == text
