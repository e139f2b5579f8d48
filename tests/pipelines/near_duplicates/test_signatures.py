"""Files of signatures: their content, and when they are kept."""

import dataclasses
import pathlib

import pytest

from photochrom.errors import ReadError
from photochrom.imaging import decoding, resizing
from photochrom.sources import keys
from photochrom.sources.source import Source
from pipelines.config import PrepareConfig
from pipelines.near_duplicates import perceptual_hash, signatures

NAME = "00000-of-00001.jsonl"


@pytest.fixture
def sources(photo_folder) -> list[Source]:
    return [Source(path.name, str(path), version="1") for path in sorted((photo_folder / "coffee").iterdir())]


def write(output: pathlib.Path, sources: list[Source], **settings) -> pathlib.Path:
    writer = signatures.WriteSignatures(PrepareConfig(("x",), str(output), **settings), str(output / "progress"))
    writer.setup()
    (path,) = writer.process((NAME, sources))
    return pathlib.Path(path)


def test_file_holds_each_signature_once_in_any_order(sources, tmp_path):
    path = write(tmp_path, [*sources, sources[2]])
    found = dict(signatures.read(str(path)))
    assert len(list(signatures.read(str(path)))) == len(found) == 6
    for source in sources:
        picture = decoding.decode(pathlib.Path(source.path).read_bytes(), max_pixels=10**6, draft_size=64)
        assert found[source.key] == perceptual_hash.signature(resizing.center_square(picture.opaque_rgb(), 64))
    content = path.read_bytes()
    assert write(tmp_path / "again", sources[::-1]).read_bytes() == content


def test_unreadable_pictures_have_no_signature(sources, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(pathlib.Path(sources[0].path).read_bytes()[:500])
    bad = [
        Source("broken", str(broken)),
        Source("missing", str(tmp_path / "no.jpg")),
        Source.failed("unsafe", "box.zip", ReadError("broken archive", "broken_archive")),
    ]
    found = dict(signatures.read(str(write(tmp_path, [*bad, *sources[:2]]))))
    assert sorted(found) == ["0.jpg", "1.jpg"]
    assert dict(signatures.read(str(write(tmp_path / "large", sources, max_pixels=100)))) == {}


def test_file_is_kept_until_its_plan_changes(sources, tmp_path):
    path = write(tmp_path, sources)
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])  # a truncated file that is kept remains truncated
    assert not list(signatures.read(str(write(tmp_path, sources))))
    assert len(list(signatures.read(str(write(tmp_path, [dataclasses.replace(s, version="2") for s in sources]))))) == 6
    assert len(list(signatures.read(str(write(tmp_path, sources[:5]))))) == 5
    assert not list(signatures.read(str(write(tmp_path, sources[:5], max_pixels=100))))


@pytest.mark.parametrize("content", [b"", b"{", b"[]\n", b"\xff\xfe\n", b'{"key": "a"}\n'])
def test_damaged_file_is_rewritten(sources, tmp_path, content):
    path = write(tmp_path, sources)
    whole = path.read_bytes()
    path.write_bytes(content)
    assert write(tmp_path, sources).read_bytes() == whole


def test_file_of_spreads_inputs_evenly():
    names = [signatures.file_of(keys.digest(f"photos/{i}.jpg"), 2000) for i in range(2000)]
    assert sorted(set(names)) == [f"{i:05d}-of-00004.jsonl" for i in range(4)]
    assert max(names.count(name) for name in set(names)) < 600
    assert names[0] == f"{keys.digest('photos/0.jpg') % 4:05d}-of-00004.jsonl"
