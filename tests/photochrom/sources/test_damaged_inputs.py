"""Archives and manifests with random damage: each costs itself alone, whatever the damage is."""

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile

import pytest

from photochrom import errors
from photochrom.sources import inputs, member_reader
from photochrom.storage.names import printable

NAMES = ("a.jpg", "./b.jpg", "p//ü.jpg", "x" * 120 + "/y.jpg", "n\nm.jpg", ".h/x", "in.zip", "l#2")
PATCHES = (b"\xff" * 8, b"\0" * 12, b"\x80" + b"\xff" * 11, b"77777777777\0", b"\x7f\xff\xff\xff", b"9")


def tar(format: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for number, name in enumerate(NAMES):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = 200 * number, 1e9 + 0.5
            archive.addfile(info, io.BytesIO(bytes(info.size)))
    return buffer.getvalue()


def packed_zip(method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name in NAMES:
            archive.writestr(name, name * 50)
        archive.comment = b"comment"
    return buffer.getvalue()


PAX = tar(tarfile.PAX_FORMAT)
WHOLE = {
    "ustar.tar": tar(tarfile.USTAR_FORMAT), "gnu.tar": tar(tarfile.GNU_FORMAT), "pax.tar": PAX,
    "pax.tar.gz": gzip.compress(PAX), "pax.tar.bz2": bz2.compress(PAX), "pax.tar.xz": lzma.compress(PAX),
    "stored.zip": packed_zip(0), "deflated.zip": packed_zip(8), "bzip2.zip": packed_zip(12), "lzma.zip": packed_zip(14),
    "a.csv": b'id;source\n1;"a;\nb.jpg"\n2;stored.zip!x\n', "a.txt": "a.jpg\n\nb.zip!x\n".encode("utf-16"),
    "a.jsonl": b'{"source": "a.jpg"}\n{"source": "a.zip!b", "x": [1, 2]}\n',
}  # fmt: skip


def damaged(data: bytes, random_: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random_.choice((1, 1, 2, 8))):
        at, kind = random_.randrange(len(changed)), random_.randrange(4)
        if kind == 0:
            changed[at] ^= 1 << random_.randrange(8)
        elif kind == 1:
            patch = random_.choice(PATCHES)
            changed[at : at + len(patch)] = patch
        elif kind == 2:
            del changed[at : at + random_.choice((1, 46, 512)) if len(changed) > 600 else at + 1]
        else:
            changed[at:at] = changed[random_.randrange(len(changed)) :][:512]
    return sealed(bytes(changed))


def sealed(data: bytes) -> bytes:
    """Returns a tar with right checksums, so that damage to its headers is read."""
    changed = bytearray(data)
    for at in range(0, len(data) - 511, 512):
        if changed[at + 257 : at + 262] == b"ustar":
            changed[at + 148 : at + 156] = b" " * 8
            changed[at + 148 : at + 156] = b"%06o\0 " % sum(changed[at : at + 512])
    return bytes(changed)


@pytest.mark.parametrize("name", WHOLE)
def test_random_damage_costs_its_input_alone(tmp_path, name):
    random_ = random.Random(name)
    failed = 0
    for _ in range(60):
        (tmp_path / name).write_bytes(damaged(WHOLE[name], random_))
        try:
            (one,) = inputs.parse([str(tmp_path / name)])
        except errors.UsageError:
            continue
        found = [s for listed in inputs.list_files(one) for s in inputs.expand(listed, str(tmp_path / "spool"))]
        if not name.startswith("a."):  # a manifest may name a file twice
            assert len({source.key for source in found}) == len(found)
        for source in found:
            assert printable(source.key) == source.key
            try:
                if source.failure:
                    raise source.failure.to_error()
                member_reader.read(source)
            except errors.DataError as error:
                assert "Error" not in str(error)
                failed += 1
    assert failed
