"""Fixtures of all tests: real photographs that scikit-image carries, and a small real model. No network needed."""

import os
import pathlib
import re
import signal
import uuid

import numpy as np
import pytest
import skimage.data
from PIL import Image

from tests.support import bucket_server, damaged
from tests.support.tint import make_bundle

_OF_JOBS = re.compile(r"^pytestmark = \[?\s*pytest\.mark\.job", re.MULTILINE)


def pytest_ignore_collect(collection_path: pathlib.Path, config: pytest.Config) -> bool | None:
    """Skips the import of files of whole jobs where none of them is to run (`make test-fast`): half of the time."""
    is_left_out = "not job" in config.getoption("markexpr") and collection_path.suffix == ".py"
    return True if is_left_out and _OF_JOBS.search(collection_path.read_text()) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs whole jobs first: the short tests then fill both workers to the end."""
    items.sort(key=lambda item: item.get_closest_marker("job") is None)


@pytest.fixture(scope="session", autouse=True)
def default_signals():
    """Handles SIGINT and SIGTERM as from a terminal; a script's background job, and its children, ignore SIGINT."""
    defaults = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in defaults.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def photographs() -> dict[str, np.ndarray]:
    """Name -> [H, W, 3] uint8 colour photograph."""
    return {name: getattr(skimage.data, name)() for name in ("astronaut", "coffee", "chelsea", "rocket")}


@pytest.fixture(scope="session")
def photo_folder(photographs, tmp_path_factory) -> pathlib.Path:
    """A folder of 24 colour photographs: crops of the real ones, with different keys."""
    folder = tmp_path_factory.mktemp("photos") / "photos"
    for name, rgb in photographs.items():
        (folder / name).mkdir(parents=True)
        for i in range(6):
            top, left = 20 * i, 15 * i
            crop = np.ascontiguousarray(rgb[top : top + 200, left : left + 240])
            Image.fromarray(crop).save(folder / name / f"{i}.jpg", quality=92)
    return folder


@pytest.fixture(scope="session")
def gray_folder(photographs, tmp_path_factory) -> pathlib.Path:
    """A folder of gray scans: of several shapes, formats and depths, one toned, one broken, one no image."""
    folder = tmp_path_factory.mktemp("scans") / "scans"
    (folder / "box1").mkdir(parents=True)
    gray = {name: Image.fromarray(rgb).convert("L") for name, rgb in photographs.items()}
    gray["astronaut"].save(folder / "box1" / "square.jpg", dpi=(300, 300))
    gray["coffee"].save(folder / "box1" / "wide.png")
    gray["chelsea"].crop((0, 0, 120, 300)).save(folder / "tall.tif", compression="tiff_lzw")
    gray["rocket"].save(folder / "lossy.webp")
    Image.fromarray(np.asarray(gray["coffee"]).astype(np.uint16) * 257).save(folder / "deep.png")
    sepia = np.asarray(gray["chelsea"])[:, :, None] * np.array([1.0, 0.86, 0.68])
    Image.fromarray(sepia.astype(np.uint8)).save(folder / "sepia.jpg", quality=95)
    Image.fromarray(photographs["coffee"]).save(folder / "colour.jpg")
    (folder / "broken.jpg").write_bytes((folder / "box1" / "square.jpg").read_bytes()[:4000])
    (folder / "notes.txt").write_text("no picture")
    for path in folder.rglob("*"):  # of a file that changed just now no row states the version
        os.utime(path, (path.stat().st_mtime - 60,) * 2)
    return folder


@pytest.fixture(scope="session")
def endless_jpeg() -> bytes:
    """A JPEG of 250 KB at which libjpeg sits for minutes."""
    return damaged.endless_jpeg()


@pytest.fixture(scope="session")
def tint(tmp_path_factory) -> str:
    """The path of a bundle."""
    return make_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def strong_tint(tmp_path_factory) -> str:
    """The path of a bundle whose colours are twice as strong."""
    return make_bundle(tmp_path_factory.mktemp("strong"), "strong tint", strength=2)


@pytest.fixture(scope="session")
def gray_tint(tmp_path_factory) -> str:
    """The path of a bundle that gives no colours."""
    return make_bundle(tmp_path_factory.mktemp("gray"), "gray tint", strength=0)


@pytest.fixture(scope="session")
def running_store():
    with bucket_server.running() as server:
        yield server


@pytest.fixture
def store(running_store, monkeypatch) -> bucket_server.BucketServer:
    """A store of buckets that works; what fails is set by the test. Tries follow one another ten times as fast."""
    from photochrom.storage import gcs_retry

    running_store.clear()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", running_store.address)
    quick = gcs_retry.RETRY.with_delay(initial=0.025, maximum=1.0, multiplier=2.0).with_timeout(20)
    monkeypatch.setattr(gcs_retry, "RETRY", quick)
    return running_store


@pytest.fixture
def bucket(store) -> str:
    """gs:// and the name of a bucket that is empty."""
    return store.make_bucket(f"bucket-{uuid.uuid4().hex}")
