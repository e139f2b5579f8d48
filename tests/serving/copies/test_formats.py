import itertools

import pytest

from serving.copies import formats


@pytest.mark.parametrize(
    ("path", "format", "expected"),
    [
        ("a/b.jpg", "JPEG", "a/b.jpg"),
        ("a/b.JPEG", "JPEG", "a/b.JPEG"),
        ("a/b.gif", "PNG", "a/b.gif.coloured.png"),
        ("a/b.jpg", "PNG", "a/b.jpg.coloured.png"),
        ("a/b", "TIFF", "a/b.coloured.tif"),
        ("a/b.tif#page=0002", "TIFF", "a/b.tif#page=0002.coloured.tif"),
        ("a/b.gif.png", "PNG", "a/b.gif.png"),
        ("a/b.gif.coloured.png", "PNG", "a/b.gif.coloured.png.coloured.png"),
    ],
)
def test_file_name_has_the_suffix_of_its_format(path, format, expected):
    assert formats.file_name(path, formats.FORMATS[format]) == expected


def test_file_name_is_unique_for_each_input():
    ends = ["", ".jpg", ".JPG", ".gif", ".png", ".tif", ".coloured", ".coloured.png", ".coloured.jpg"]
    inputs = ["a" + "".join(parts) for n in (1, 2, 3) for parts in itertools.product(ends, repeat=n)]
    for wanted in itertools.product(formats.FORMATS.values(), repeat=2):
        # Any input may be of either format.
        names = {}
        for i, path in enumerate(dict.fromkeys(inputs)):
            name = formats.file_name(path, wanted[i % 2])
            assert names.setdefault(name, path) == path
