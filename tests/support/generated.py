"""Archives of any size, of small generated images: half of them loose files, half members of one zip."""

import io
import pathlib
import zipfile

import numpy as np
from PIL import Image

SIZE = 128  # px, both sides: half of prepare's default size, the smallest that it accepts
_PER_FOLDER = 1000
# Blurred noise: no two images are similar; similar ones would occupy the search for near-duplicates.
_BLOBS = 8


def archive(folder: pathlib.Path, count: int, mode: str, seed: int = 0) -> pathlib.Path:
    """Writes `count` different JPEGs, of mode "RGB" or "L", and returns the folder; an existing archive is kept."""
    done = folder / "done"
    if done.exists():
        return folder / "images"
    loose, rng = folder / "images", np.random.default_rng(seed)
    loose.mkdir(parents=True)
    with zipfile.ZipFile(loose / "members.zip", "w") as members:
        for number in range(count):
            content = _jpeg(rng, mode)
            if number % 2:
                members.writestr(f"{number:07d}.jpg", content)
                continue
            place = loose / f"{number // _PER_FOLDER:04d}"
            place.mkdir(exist_ok=True)
            (place / f"{number:07d}.jpg").write_bytes(content)
    done.touch()
    return loose


def _jpeg(rng: np.random.Generator, mode: str) -> bytes:
    blobs = rng.integers(0, 256, (_BLOBS, _BLOBS, 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(blobs).resize((SIZE, SIZE), Image.Resampling.BICUBIC).convert(mode).save(content, "jpeg")
    return content.getvalue()
