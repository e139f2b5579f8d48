import io
import json

import numpy as np
import pytest
from PIL import Image

from photochrom import errors
from serving.iiif import layout, tiles
from serving.iiif.layout import PublishPaths
from tests.support.runs import tree

SERVICE = layout.image("ab" * 32)
URL = f"https://x.example/{SERVICE}"


def noise(height: int, width: int) -> np.ndarray:
    """Returns [H, W, 3] smooth pixels, different everywhere."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (height + width)], axis=2).astype(np.uint8)


def written(folder, pixels, **values) -> dict[str, tuple[int, int]]:
    """Writes a picture; returns file below the service -> width and height of each JPEG."""
    paths = PublishPaths(str(folder))
    assert tiles.write(paths, SERVICE, URL, pixels, **values) == pixels.shape[:2]
    root = folder / "publish" / SERVICE
    return {str(path.relative_to(root)): Image.open(path).size for path in root.rglob("*.jpg")}


def test_small_picture_is_one_file(tmp_path):
    assert written(tmp_path, noise(700, 1024)) == {layout.FULL: (1024, 700)}
    info = json.loads((tmp_path / "publish" / SERVICE / "info.json").read_text())
    assert (info["width"], info["height"], info["profile"]) == (1024, 700, "level0") and "tiles" not in info


def test_large_picture_has_every_tile_of_every_level(tmp_path):
    found = written(tmp_path, noise(1100, 1501))
    info = json.loads((tmp_path / "publish" / SERVICE / "info.json").read_text())
    assert info["tiles"] == [{"width": 512, "height": 512, "scaleFactors": [1, 2, 4]}]
    assert info["sizes"] == [{"width": 376, "height": 275}, {"width": 1501, "height": 1100}]
    wanted = {layout.FULL: (1501, 1100), "full/376,275/0/default.jpg": (376, 275)}
    for factor in (1, 2):  # Source: IIIF Image API 3.0, implementation notes, 3
        for y in range(-(-1100 // (512 * factor))):
            for x in range(-(-1501 // (512 * factor))):
                left, top = x * 512 * factor, y * 512 * factor
                width, height = min(512 * factor, 1501 - left), min(512 * factor, 1100 - top)
                size = -(-width // factor), -(-height // factor)
                wanted[f"{left},{top},{width},{height}/{size[0]},{size[1]}/0/default.jpg"] = size
    assert found == wanted


def test_tile_shows_its_region(tmp_path):
    pixels = noise(1100, 1501)
    written(tmp_path, pixels)
    tile = Image.open(tmp_path / "publish" / SERVICE / "1024,0,477,1024/239,512/0/default.jpg")
    expected = pixels[:1024, 1024:].mean(axis=(0, 1))
    assert np.asarray(tile).mean(axis=(0, 1)) == pytest.approx(expected, abs=2)


def test_same_picture_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        written(tmp_path / name, noise(1100, 800))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_gray_picture_stays_gray_and_xmp_is_kept():
    with Image.open(io.BytesIO(tiles.to_jpeg(noise(30, 40)[:, :, 0], b"<x/>"))) as image:
        assert image.mode == "L" and image.info["xmp"] == b"<x/>"
    with Image.open(io.BytesIO(tiles.to_jpeg(noise(30, 40), b"x" * 70_000))) as image:
        assert "xmp" not in image.info


def test_picture_too_long_for_a_jpeg_is_refused(tmp_path):
    with pytest.raises(errors.DataError, match="66000x2 px"):
        tiles.write(PublishPaths(str(tmp_path)), SERVICE, URL, np.zeros((2, 66_000), np.uint8))
    assert not list(tmp_path.iterdir())


def test_known_picture_moves_to_another_url(tmp_path):
    paths = PublishPaths(str(tmp_path))
    assert tiles.known(paths, SERVICE, URL) is None
    written(tmp_path, noise(10, 20))
    assert tiles.known(paths, SERVICE, "http://other/x") == (10, 20)
    assert json.loads((tmp_path / "publish" / SERVICE / "info.json").read_text())["id"] == "http://other/x"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"height": 0, "width": 3}', '{"height": 9e9, "width": 3}', "[" * 9999]
)
def test_damaged_info_means_unknown(tmp_path, text):
    path = tmp_path / "publish" / SERVICE / "info.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert tiles.known(PublishPaths(str(tmp_path)), SERVICE, URL) is None
