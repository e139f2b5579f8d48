import numpy as np
import pytest

from serving.copies import label


def drawn(style: str, height: int, width: int, text: str = label.DEFAULT_TEXT, depth: type = np.uint8) -> np.ndarray:
    mark = label.make(style, text, height, width)
    full = np.iinfo(depth).max
    rgb = np.full((height + mark.added_rows, width, 3), full // 2, depth)
    return mark.draw(rgb, slice(0, len(rgb)))


@pytest.mark.parametrize(("height", "width"), [(60, 60), (30, 500), (500, 30), (1000, 1500), (8, 8), (1, 1)])
@pytest.mark.parametrize("style", [label.CORNER, label.BORDER])
def test_make_fits_pictures_of_any_size(style, height, width):
    rgb = drawn(style, height, width)
    assert rgb.shape[1] == width
    if min(height, width) >= 60:
        assert np.ptp(rgb) > 180  # letters stand out from their ground


def test_make_scales_letters_with_the_picture():
    small, large = (label.make(label.CORNER, "x", size, size).ink.shape[0] for size in (1000, 4000))
    assert large == pytest.approx(4 * small, rel=0.1)


def test_corner_covers_only_the_lower_right():
    rgb = drawn(label.CORNER, 400, 600)
    changed = (rgb != 127).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert rows.min() > 360 and columns.min() > 400
    assert (rows.max(), columns.max()) == (399, 599)


def test_border_leaves_the_picture_unchanged():
    rgb = drawn(label.BORDER, 400, 600)
    assert len(rgb) > 400 and (rgb[:400] == 127).all()
    assert (rgb[400:] == 255).mean() > 0.8 and rgb[400:].min() < 40


def test_draw_in_bands_equals_the_whole():
    mark = label.make(label.CORNER, "Koloriert von KI", 300, 400)
    rgb = np.full((300, 400, 3), 30_000, np.uint16)
    bands = [mark.draw(rgb[top : top + 17], slice(top, min(top + 17, 300))) for top in range(0, 300, 17)]
    np.testing.assert_array_equal(np.concatenate(bands), mark.draw(rgb, slice(0, 300)))


def test_make_without_style_is_none():
    assert label.make(label.NONE, "x", 10, 10) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has 0 characters, expected 1 to 200"),
        ("x" * 201, "has 201 characters"),
        ("彩色", "DejaVu Sans cannot draw"),
        ("a\nb", "cannot draw"),
    ],
)
def test_check_text_refuses_undrawable_text(text, message):
    with pytest.raises(ValueError, match=message):
        label.check_text(text)


@pytest.mark.parametrize("text", ["Colorized by AI", "Colorisé par IA", "Раскрашено ИИ", "Koloriert: KI (2026)"])
def test_check_text_accepts_many_languages(text):
    label.check_text(text)
