"""Small archives and input manifests of every kind, and kinds of damage to them: for the fuzzer and its short form."""

import bz2
import functools
import gzip
import io
import lzma
import pathlib
import random
import tarfile
import zipfile
from collections.abc import Callable, Mapping

from tests.support import mutations

_BLOCK = 512
_MAGIC_AT, _SUM_AT = 257, slice(148, 156)
_COMPRESSED: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    ".tar.gz": (gzip.decompress, lambda data: gzip.compress(data, mtime=0)),
    ".tar.bz2": (bz2.decompress, bz2.compress),
    ".tar.xz": (lzma.decompress, lzma.compress),
}
# Parts of names that a member or a row may have, to leave the folder or to break a line, a path or a key.
_HOSTILE = (
    "..", "../..", "/", "//", "/etc", ".", "", "~", "\\", "C:", "\0", "\n", "\r", "!", "#page=0001", ".zip!", "a" * 300,
    "\u202e", "\udc80", "é", "*", "[", "%2e%2e", "con", ".photochrom-tmp-", "x.coloured",
)  # fmt: skip
_ROWS = (
    "../outside.jpg", "/etc/hostname", "good/../../x.jpg", "box.zip!../x.jpg", "box.zip!", "!x.jpg", "gs://b/x.jpg",
    "https://example.org/x.jpg", "s3://", "file:///etc/hostname", "/dev/null", "/proc/self/mem", "good", "=1+1", "null",
)  # fmt: skip


def write_scans(folder: pathlib.Path) -> None:
    """Writes the files that the manifests name: two pictures and an archive."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in _members().items():
        (folder / name.replace("/", "-")).write_bytes(data)
    (folder / "box.zip").write_bytes(archives()["deflated.zip"])


@functools.cache
def _members() -> dict[str, bytes]:
    pictures = mutations.seeds()
    return {"one.jpg": pictures["gray.jpg"], "p/two.png": pictures["palette.png"], "p/notes.txt": b"a box of scans\n"}


@functools.cache
def archives() -> dict[str, bytes]:
    """Returns name -> archive, some kilobytes each."""
    plain = {"ustar": _tar(tarfile.USTAR_FORMAT), "gnu": _tar(tarfile.GNU_FORMAT), "pax": _tar(tarfile.PAX_FORMAT)}
    return {
        "stored.zip": _zip(zipfile.ZIP_STORED),
        "deflated.zip": _zip(zipfile.ZIP_DEFLATED),
        "lzma.zip": _zip(zipfile.ZIP_LZMA),
        "bzip2.zip": _zip(zipfile.ZIP_BZIP2),
        "large.zip": _zip(zipfile.ZIP_DEFLATED, force_zip64=True),
        "empty.zip": b"PK\5\6" + bytes(18),
        **{f"{name}.tar": data for name, data in plain.items()},
        **{f"pax{suffix}": pack(plain["pax"]) for suffix, (_, pack) in _COMPRESSED.items()},
        "ustar.tgz": gzip.compress(plain["ustar"], mtime=0),
    }


def _zip(method: int, force_zip64: bool = False) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in _members().items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=force_zip64) as member:
                member.write(data)
    return file.getvalue()


def _tar(format: int) -> bytes:
    file = io.BytesIO()
    long = "folder/" * (10 if format == tarfile.USTAR_FORMAT else 30)
    with tarfile.open(fileobj=file, mode="w", format=format) as archive:
        for name, data in {**_members(), f"{long}Zürich.jpg": b"no picture"}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "one.jpg"
        archive.addfile(link)
    return file.getvalue()


def manifests() -> dict[str, bytes]:
    """Returns name -> manifest of the files that `write_scans` writes, in each form."""
    rows = ["one.jpg", "p-two.png", "box.zip", "box.zip!p/two.png", "missing.jpg"]
    lines = "".join(f"{row}\n" for row in rows)
    return {
        "list.txt": lines.encode(),
        "one_column.csv": lines.encode(),
        "list.csv": ("title,source\n" + "".join(f'"A, B",{row}\n' for row in rows)).encode(),
        "list.jsonl": "".join(f'{{"source": "{row}", "box": {{"number": 7}}}}\n' for row in rows).encode(),
        "wide.txt": lines.encode("utf-16"),
    }


def mutate(rng: random.Random, files: Mapping[str, bytes]) -> tuple[str, bytes]:
    """Returns name and content of one of the files, with damage to its bytes, its names or its rows."""
    name = rng.choice(sorted(files))
    data = files[name]
    if not name.endswith((".txt", ".csv", ".jsonl")):
        return name, _mutated_archive(rng, name, data, list(files.values()))
    for _ in range(rng.choice((0, 1, 1, 3))):
        data = _with_row(rng, data)
    return name, mutations.mutate(rng, [data]) if rng.random() < 0.6 else data


def _mutated_archive(rng: random.Random, name: str, data: bytes, others: list[bytes]) -> bytes:
    suffix = next((suffix for suffix in _COMPRESSED if name.endswith(suffix)), "")
    if not suffix or rng.random() < 0.3:
        return _damaged(rng, data, others, is_tar=name.endswith(".tar"))
    unpack, pack = _COMPRESSED[suffix]
    return pack(_damaged(rng, unpack(data), others, is_tar=True))


def _damaged(rng: random.Random, data: bytes, others: list[bytes], is_tar: bool) -> bytes:
    if rng.random() < 0.5:
        data = _with_hostile_name(rng, data)
    if rng.random() < 0.7:
        data = mutations.mutate(rng, [data])
    if rng.random() < 0.1:
        data += rng.choice(others)
    return _with_sums(data) if is_tar and rng.random() < 0.8 else data


def _with_hostile_name(rng: random.Random, data: bytes) -> bytes:
    """Overwrites all occurrences of a member's name by one of the same length, so that all offsets stay."""
    old = rng.choice((b"one.jpg", b"p/two.png", b"p/notes.txt", b"link.jpg"))
    new = "/".join(rng.choice(_HOSTILE) for _ in range(rng.choice((1, 2, 3)))).encode("utf-8", "surrogateescape")
    return data.replace(old, new[: len(old)].ljust(len(old), rng.choice((b"x", b"/", b"\0"))))


def _with_sums(data: bytes) -> bytes:
    """Makes the checksums of a tar's headers right again, or tarfile would look at none of them."""
    blocks = bytearray(data)
    for start in range(0, len(blocks) - _BLOCK + 1, _BLOCK):
        if blocks[start + _MAGIC_AT : start + _MAGIC_AT + 5] == b"ustar":
            header = blocks[start : start + _BLOCK]
            header[_SUM_AT] = b" " * 8
            blocks[start + _SUM_AT.start : start + _SUM_AT.stop] = f"{sum(header):06o}\0 ".encode()
    return bytes(blocks)


def _with_row(rng: random.Random, data: bytes) -> bytes:
    """Inserts a row of a hostile path, or of arbitrary bytes."""
    text = rng.choice((*_ROWS, "/".join(rng.choice(_HOSTILE) for _ in range(3))))
    row = rng.choice((text.encode("utf-8", "surrogateescape"), f'{{"source": "{text}"}}'.encode("utf-8", "replace"),
                      b'{"source": 1}', b"[" * 5000, rng.randbytes(20)))  # fmt: skip
    lines = data.split(b"\n")
    lines.insert(rng.randrange(len(lines) + 1), row)
    return b"\n".join(lines)
