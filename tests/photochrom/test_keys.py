import pytest

from photochrom import errors, keys


def test_digests_are_the_same_on_every_machine():
    # Golden: splits, shards and so the bytes of every dataset hang on these.
    assert keys.digest("scans/box1/001.tif") == 0x2FFE6D2E4EA63372
    assert keys.digest("scans/box1/001.tif", seed=1) == 0xFD20BE23AFC1DA45
    assert keys.digest("caf\udce9") == 0xB322885B95EAEAF0


def test_fractions_are_spread_evenly():
    counts = [0] * 10
    for i in range(10_000):
        counts[int(keys.fraction(f"photos/{i}.jpg") * 10)] += 1
    assert min(counts) > 900 and max(counts) < 1100


@pytest.mark.parametrize("name", ["1.jpg", "p/1.jpg", "a b/ü.tif", "..hidden/x", "a..b", "-rf", "C/d"])
def test_relative_names_pass(name):
    assert keys.check_name(name) == name


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
def test_names_that_leave_the_output_folder_are_refused(name, problem):
    with pytest.raises(errors.UnsafeName, match="expected a relative path below the archive") as caught:
        keys.check_name(name)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("scans/box.zip!p/1.jpg", "scans/box.zip/p/1.jpg"),
        ("a.tar.gz!1.jpg", "a.tar.gz/1.jpg"),
        ("A.TGZ!1.jpg", "A.TGZ/1.jpg"),
        ("wow!/1.jpg", "wow!/1.jpg"),
        ("wow!.zip!a!b.jpg", "wow!.zip/a!b.jpg"),
    ],
)
def test_a_key_is_a_path(key, path):
    assert keys.to_path(key) == path


def test_printable_text_holds_no_control_characters():
    assert keys.printable("a\nb\x1b[31m\udce9ü") == "a\\x0ab\\x1b[31m\\udce9ü"
