"""An archive of small real pictures, 3% of them bad in nineteen ways, and the expected row of each input.

The same count and seed give the same bytes. Pictures are crops of scikit-image's photographs, gray, in four formats and
two depths, in folders, in a zip, in a tar and in a tar.gz. Files are a year old, because a run does not rely on the
modification time of recently changed files.
"""

import dataclasses
import gzip
import io
import os
import pathlib
import random
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import skimage.data
import tifffile
from PIL import Image

# Flags that give the expected rows: white pages reach the model, and `Tint` fails on them.
FLAGS = ("--unsuitable=colorize", "--date=2026-01-01", "--max_failures=50%")
BAD_SHARE = 0.03
_PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket", "camera", "moon", "brick", "grass")
_SIZES = ((96, 72), (72, 96), (80, 80), (128, 64))
_OLD = 1_735_689_600  # 2025-01-01
_IN_FOLDERS, _IN_ZIP, _IN_TAR = 0.5, 0.75, 0.85  # and the rest in a tar.gz
_FILES_PER_FOLDER = 100
# Number of bad inputs that occur once in an archive: links, members and archives.
_ONE_OFFS = 9

# (status, reason) of a row
End = tuple[str, str]
DONE: End = ("done", "")


@dataclasses.dataclass(frozen=True)
class Archive:
    """A written archive: the folder for --input, and key -> (status, reason) of the expected row."""

    folder: pathlib.Path
    ends: dict[str, End]

    @property
    def done(self) -> int:
        """Returns the number of inputs that must be coloured."""
        return sum(end == DONE for end in self.ends.values())


def make(folder: pathlib.Path, count: int, seed: int = 0) -> Archive:
    """Writes an archive of about `count` inputs, each bad kind included, into `folder`, which must not exist."""
    folder.mkdir(parents=True)
    rng = random.Random(seed)
    ends: dict[str, End] = {}
    members: dict[str, list[tuple[str, bytes]]] = {"box.zip": [], "roll.tar": [], "roll.tar.gz": []}
    for number, (name, data, end) in enumerate(_contents(rng, count)):
        place = rng.random()
        if place < _IN_FOLDERS:
            path = folder / f"folder{number // _FILES_PER_FOLDER:04d}" / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
            ends[f"{folder.name}/{path.relative_to(folder)}"] = end
        else:
            archive = "box.zip" if place < _IN_ZIP else "roll.tar" if place < _IN_TAR else "roll.tar.gz"
            members[archive].append((name, data))
            ends[f"{folder.name}/{archive}!{name}"] = end
    ends |= _write_links(folder)
    good = _encode(_crop(rng), "a.jpg")
    ends |= _write_zip(folder / "box.zip", members["box.zip"], good)
    ends |= _write_tar(folder / "roll.tar", members["roll.tar"])
    (folder / "roll.tar.gz").write_bytes(gzip.compress(_tar(members["roll.tar.gz"]), 6, mtime=_OLD))
    ends |= _write_broken(folder, [(name, _encode(_crop(rng), name)) for name in ("a.jpg", "b.png", "c.tif")])
    for path in sorted(folder.rglob("*"), reverse=True):
        os.utime(path, (_OLD, _OLD), follow_symlinks=False)
    return Archive(folder, dict(sorted(ends.items())))


def _contents(rng: random.Random, count: int) -> list[tuple[str, bytes, End]]:
    """Returns (name, bytes, end) of `count` files, bad and good ones shuffled."""
    bad = max(len(BAD), round(BAD_SHARE * count) - _ONE_OFFS)
    files: list[tuple[str, bytes, End]] = []
    for number in range(count):
        if number < bad:
            name, make_bad, end = BAD[number % len(BAD)]
            stem, _, suffix = name.rpartition(".")
            files.append((f"{number:06d}-{stem}.{suffix}", make_bad(rng), end))
        else:
            name = f"{number:06d}.{rng.choice(('jpg', 'jpg', 'jpg', 'png', 'tif', 'webp', 'deep.png', 'deep.tif'))}"
            files.append((name, _encode(_crop(rng), name), DONE))
    rng.shuffle(files)
    return files


_gray: list[np.ndarray] = []


def _crop(rng: random.Random) -> np.ndarray:
    """Returns a [H, W] uint8 crop of a photograph at half its size, with dark and light pixels."""
    if not _gray:
        images = (Image.fromarray(getattr(skimage.data, name)()).convert("L") for name in _PHOTOGRAPHS)
        _gray.extend(np.asarray(image.reduce(2)) for image in images)
    width, height = rng.choice(_SIZES)
    gray = rng.choice(_gray)
    top, left = rng.randrange(gray.shape[0] - height), rng.randrange(gray.shape[1] - width)
    crop = np.ascontiguousarray(gray[top : top + height, left : left + width])
    crop[0, 0] = rng.randrange(64)  # no two alike, none white all over
    return crop


def _encode(pixels: np.ndarray, name: str) -> bytes:
    buffer = io.BytesIO()
    if ".deep." in name:
        pixels = pixels.astype(np.uint16) * 257
    if name.endswith(".tif"):
        tifffile.imwrite(buffer, pixels, compression="deflate", metadata=None, software=False)
    else:
        format = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[name.rpartition(".")[2]]
        Image.fromarray(pixels).save(buffer, format, quality=90)
    return buffer.getvalue()


def _cut_jpeg(rng: random.Random) -> bytes:
    data = _encode(_crop(rng), "a.jpg")
    return data[: len(data) // 2]


def _flipped_png(rng: random.Random) -> bytes:
    data = bytearray(_encode(_crop(rng), "a.png"))
    data[data.index(b"IDAT") + 40 + rng.randrange(400)] ^= 1 << rng.randrange(8)
    return bytes(data)


def _bomb(rng: random.Random) -> bytes:
    """Returns a PNG with a header of 40,000 x 40,000 px and hardly any pixel data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = (40_000).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    pixels = zlib.compress(bytes(1000) + rng.randbytes(4))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _tiff(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, metadata=None, software=False)
    return buffer.getvalue()


def _with_nan(rng: random.Random) -> bytes:
    pixels = _crop(rng).astype(np.float32) / 255
    pixels[3, 5] = np.nan
    return _tiff(pixels)


def _colour(rng: random.Random) -> bytes:
    """Returns a crop of a photograph with many colours: the face and the flag."""
    buffer = io.BytesIO()
    top, left = 20 + rng.randrange(20), 60 + rng.randrange(20)
    Image.fromarray(skimage.data.astronaut()[top : top + 200, left : left + 240]).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def endless_jpeg() -> bytes:
    """Returns a JPEG of 250 KB whose last scan is repeated 5,000 times: libjpeg needs minutes for it."""
    buffer = io.BytesIO()
    Image.new("L", (4000, 4000), 99).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    scan = data.rfind(b"\xff\xda")
    return data[:scan] + data[scan:-2] * 5000 + data[-2:]


def large_tiff() -> bytes:
    """Returns a gray scan of 12 MP, large enough for its copy to be assembled on disk."""
    return _tiff(np.asarray(Image.fromarray(skimage.data.camera()).resize((4000, 3000))))


_Maker = Callable[[random.Random], bytes]
# (name, maker, end) of bad files that may occur anywhere in an archive.
BAD: tuple[tuple[str, _Maker, End], ...] = (
    ("cut.jpg", _cut_jpeg, ("failed", "undecodable")),
    ("flipped.png", _flipped_png, ("failed", "undecodable")),
    ("empty.jpg", lambda rng: b"", ("failed", "not_an_image")),
    ("text.jpg", lambda rng: f"a list of boxes {rng.random()}\n".encode(), ("failed", "not_an_image")),
    ("bomb.png", _bomb, ("failed", "too_large")),
    ("white.png", lambda rng: _encode(np.full((64, 64 + rng.randrange(9)), 255, np.uint8), "w.png"),
     ("failed", "inference")),
    ("nan.tif", _with_nan, ("failed", "unsupported_range")),
    ("int64.tif", lambda rng: _tiff(_crop(rng).astype(np.int64) << 40), ("failed", "unsupported_depth")),
    ("notes.txt", lambda rng: f"box {rng.random()}\n".encode(), ("skipped", "not_an_image")),
    ("colour.jpg", _colour, ("skipped", "color_input")),
)  # fmt: skip


def _write_links(folder: pathlib.Path) -> dict[str, End]:
    """Writes a dangling link and a file without read permission."""
    (folder / "dangling.jpg").symlink_to("nowhere.jpg")
    closed = folder / "closed.jpg"
    closed.write_bytes(b"no one's business")
    closed.chmod(0)
    return {
        f"{folder.name}/dangling.jpg": ("failed", "not_found"),
        f"{folder.name}/closed.jpg": ("failed", "unreadable"),
    }


def _write_zip(path: pathlib.Path, members: list[tuple[str, bytes]], good: bytes) -> dict[str, End]:
    """Writes a zip with a member with a wrong checksum, one with a hostile name and a duplicate one."""
    more = [("crc.png", good), ("../hostile.jpg", good), ("twice.jpg", good), ("twice.jpg", good + b"!")]
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")  # the duplicate name is intended
        for name, data in [*members, *more]:
            archive.writestr(zipfile.ZipInfo(name, (2025, 1, 1, 0, 0, 0)), data)
    raw = bytearray(path.read_bytes())
    begin = raw.index(b"crc.png") + len(b"crc.png")
    raw[begin + len(good) // 2] ^= 1
    path.write_bytes(raw)
    key = f"{path.parent.name}/{path.name}!"
    return {
        f"{key}crc.png": ("failed", "broken_archive"),
        f"{key}../hostile.jpg": ("failed", "unsafe_name"),
        f"{key}twice.jpg": DONE,
        f"{key}twice.jpg#2": ("failed", "duplicate_name"),
    }


def _tar(members: list[tuple[str, bytes]], link: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), _OLD
            archive.addfile(info, io.BytesIO(data))
        if link:
            info = tarfile.TarInfo(link)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(info)
    return buffer.getvalue()


def _write_tar(path: pathlib.Path, members: list[tuple[str, bytes]]) -> dict[str, End]:
    path.write_bytes(_tar(members, link="link.jpg"))
    return {f"{path.parent.name}/{path.name}!link.jpg": ("failed", "not_a_file")}


def _write_broken(folder: pathlib.Path, members: list[tuple[str, bytes]]) -> dict[str, End]:
    """Writes a tar truncated within its last member, a tar.gz truncated there, and an invalid zip."""
    whole = _tar(members)
    last = whole.rindex(members[-1][0].encode())
    (folder / "cut.tar").write_bytes(whole[: last + 300])
    (folder / "cut.tar.gz").write_bytes(gzip.compress(whole[: last + 300], mtime=_OLD)[:-8])  # without its checksum
    (folder / "none.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    ends = {f"{folder.name}/{name}": ("failed", "broken_archive") for name in ("cut.tar", "cut.tar.gz", "none.zip")}
    return ends | {f"{folder.name}/{cut}!{name}": DONE for cut in ("cut.tar", "cut.tar.gz") for name, _ in members[:-1]}
