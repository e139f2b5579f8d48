import pytest

from serving.review.layout import Thumbnail

SHA256 = "3f" + "0" * 62


@pytest.mark.parametrize("has_view", [False, True])
def test_thumbnail_is_read_back_from_its_name(has_view):
    thumbnail = Thumbnail(SHA256, 123, has_view)
    assert Thumbnail.parse(thumbnail.path.removeprefix("thumbs/")) == thumbnail
    assert len(thumbnail.paths) == 1 + has_view and thumbnail.paths[-1] == thumbnail.path


@pytest.mark.parametrize(
    "name", ["", f"3e/{SHA256}-1.webp", f"3f/{SHA256}.webp", f"3f/{SHA256}-1.png", f"{SHA256}-1.webp"]
)  # fmt: skip
def test_thumbnail_of_another_name_is_none(name):
    assert Thumbnail.parse(name) is None
