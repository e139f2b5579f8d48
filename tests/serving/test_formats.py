import pytest

from serving import formats


@pytest.mark.parametrize(
    ("path", "format", "wanted", "expected"),
    [
        ("a/b.jpg", "JPEG", "keep", "a/b.jpg"),
        ("a/b.JPEG", "JPEG", "keep", "a/b.JPEG"),
        ("a/b.gif", "PNG", "keep", "a/b.gif.png"),
        ("a/b.jpg", "PNG", "keep", "a/b.jpg.png"),
        ("a/b", "TIFF", "keep", "a/b.tif"),
        ("a/b.tif.jpg", "JPEG", "keep", "a/b.tif.jpg"),
        ("a/b.tif", "JPEG", "jpeg", "a/b.tif.jpg"),
        ("a/b.tif.jpg", "JPEG", "jpeg", "a/b.tif.jpg.jpg"),  # its own name is taken by the copy of b.tif
        ("a/b.gif.png", "PNG", "keep", "a/b.gif.png.png"),
    ],
)
def test_file_name_has_the_end_of_its_format_and_is_no_other_inputs(path, format, wanted, expected):
    assert formats.file_name(path, formats.FORMATS[format], wanted) == expected
