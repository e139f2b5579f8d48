import hashlib
import io
import os

import numpy as np
import pytest
from PIL import Image

from photochrom.color import cielab, difference
from photochrom.imaging.sandbox.decoder import Decoder
from serving.review import thumbnails
from serving.review.layout import Thumbnail, view_path
from tests.support import review_site

DECODER = Decoder(100_000_000)


def save(output, name: str, pixels: np.ndarray) -> str:
    """Writes a picture below the output folder and returns its digest."""
    path = output / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def size(output, path: str) -> tuple[int, int]:
    with Image.open(io.BytesIO((output / "review" / path).read_bytes())) as image:
        assert image.format == "WEBP"
        return image.size


def test_thumbnail_has_400_px_and_chroma(tmp_path, photographs):
    sha256 = save(tmp_path, "images/a.png", photographs["coffee"])  # 600x400
    made = thumbnails.make(str(tmp_path), ["images/a.png"], sha256, DECODER)
    assert size(tmp_path, made.path) == (400, 267) and not made.has_view
    assert made.chroma / 10 == pytest.approx(difference.mean_chroma(cielab.rgb_to_lab(photographs["coffee"])), abs=0.5)
    assert list(thumbnails.existing(str(tmp_path))) == [made]


def test_small_picture_is_not_enlarged(tmp_path):
    sha256 = save(tmp_path, "images/a.png", review_site.picture(50, 20))
    assert size(tmp_path, thumbnails.make(str(tmp_path), ["images/a.png"], sha256, DECODER).path) == (50, 20)


def test_tiff_gets_a_view_for_browsers(tmp_path):
    sha256 = save(tmp_path, "images/a.tif", review_site.picture(3000, 200))
    made = thumbnails.make(str(tmp_path), ["images/a.tif"], sha256, DECODER)
    assert made.has_view and size(tmp_path, view_path(sha256)) == (2048, 137)


def test_same_copy_gives_the_same_bytes(tmp_path, photographs):
    made = []
    for folder in ("one", "two"):
        sha256 = save(tmp_path / folder, "images/a.jpg", photographs["chelsea"])
        thumbnail = thumbnails.make(str(tmp_path / folder), ["images/a.jpg"], sha256, DECODER)
        made.append((thumbnail, (tmp_path / folder / "review" / thumbnail.path).read_bytes()))
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda path: path.unlink(), "the copy is missing"),
        (lambda path: path.write_bytes(b"other"), "the copy was changed since its row was written"),
        (lambda path: (path.unlink(), os.symlink("/etc/hostname", path)), "leads out of the folder by a link"),
    ],
    ids=["missing", "changed", "link"],
)
def test_damaged_copy_gets_a_reason_instead(tmp_path, damage, problem):
    sha256 = save(tmp_path, "images/a.png", review_site.picture())
    damage(tmp_path / "images/a.png")
    assert problem in thumbnails.make(str(tmp_path), ["images/a.png"], sha256, DECODER)
    assert not (tmp_path / "review").exists()


def test_second_file_with_the_same_bytes_serves(tmp_path):
    sha256 = save(tmp_path, "images/b.png", review_site.picture())
    found = thumbnails.make(str(tmp_path), ["images/b.png", "images/a.png"], sha256, DECODER)
    assert isinstance(found, Thumbnail)
