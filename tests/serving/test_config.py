import pytest

from serving.config import ColorizeConfig


def config(**values) -> ColorizeConfig:
    return ColorizeConfig(input=("scans",), output="out", model="bundle", **values)


@pytest.mark.parametrize(
    ("allowed", "failed", "listed", "expected"),
    [("0", 0, 10, True), ("0", 1, 10, False), ("3", 3, 4, True), ("10%", 1, 10, True), ("10%", 2, 10, False)],
)
def test_allows_a_number_or_a_share_of_failures(allowed, failed, listed, expected):
    assert config(max_failures=allowed).allows(failed, listed) is expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_failures": "few"}, "--max_failures is few, expected a number such as 20 or a share such as 5%"),
        ({"batch_size": 0}, "--batch_size is 0, expected 1 or more"),
        ({"max_pixels": 0}, "--max_pixels is 0, expected 1 or more"),
        ({"image_timeout": 0}, "--image_timeout is 0 s, expected 1 or more"),
    ],
)
def test_refuses_settings_that_make_no_sense(values, message):
    with pytest.raises(ValueError, match=message):
        config(**values)


def test_digest_covers_what_changes_pixels_and_nothing_else():
    assert config().output_digest() == config(batch_size=3, retry="all", image_timeout=7, pages="all").output_digest()
    assert config().output_digest() != config(color_inputs="colorize").output_digest()
