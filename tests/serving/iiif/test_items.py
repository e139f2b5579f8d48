import hashlib

import pytest
from PIL import Image

from photochrom.imaging.sandbox.decoder import Decoder
from photochrom.sources.source import Source
from serving.iiif import items
from serving.iiif.documents import Terms
from serving.manifest.rows import Row
from tests.support import review_site


@pytest.fixture
def made(tmp_path):
    """A maker, and the counts of its pictures."""
    counts: list[int] = []
    terms = Terms("https://x.example", "x")
    return items.Maker(str(tmp_path / "out"), terms, {1: "tint"}, Decoder(10**7), lambda: counts.append(1)), counts


@pytest.fixture
def row(tmp_path) -> Row:
    """The row of a scan and its copy, which exist."""
    (tmp_path / "out/images").mkdir(parents=True)
    copy = Image.fromarray(review_site.picture())
    copy.save(tmp_path / "out/images/a.png")
    copy.convert("L").save(tmp_path / "a.png")
    digests = [hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("a.png", "out/images/a.png")]
    source = Source("a.png", str(tmp_path / "a.png"))
    return Row.of(source, source_sha256=digests[0], output="images/a.png", output_sha256=digests[1], run=1)


def test_item_is_made_once(made, row):
    maker, counts = made
    first = maker.make(row, Source(row.key, row.source))
    assert first.problem == "" and first.scan.size == first.copy.size == (300, 400) and first.model == "tint"
    assert maker.has_scan(row) and maker.make(row, None) == first and len(counts) == 2


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda folder: (folder / "a.png").unlink(), "the scan cannot be read: there is no such file"),
        (lambda folder: (folder / "a.png").write_bytes(b"x"), "the scan was changed since it was coloured"),
        (lambda folder: (folder / "out/images/a.png").unlink(), "the copy is missing"),
        (lambda folder: (folder / "out/images/a.png").write_bytes(b"x"), "the copy was changed since its row"),
    ],
)
def test_problem_names_the_file_and_writes_no_manifest(made, row, tmp_path, spoil, problem):
    spoil(tmp_path)
    found = made[0].make(row, Source(row.key, row.source))
    assert found.problem.startswith(problem)
    assert not (tmp_path / "out/publish/manifests").exists()


def test_untrusted_digest_is_no_path(made, row, tmp_path):
    bad = Row.from_json({**row.to_json(), "source_sha256": "../../../a", "notes": []})
    assert not made[0].has_scan(bad)
    assert "has no SHA-256" in made[0].make(bad, Source(row.key, row.source)).problem
    assert not (tmp_path / "out/publish").exists()


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, (True, False)),
        ({"decision": "accepted"}, (True, True)),
        ({"decision": "redone"}, (True, False)),
        ({"decision": "rejected", "status": "skipped"}, (False, False)),
        ({"reason": "copied"}, (False, False)),
        ({"output": ""}, (False, False)),
    ],
)
def test_only_coloured_copies_are_wanted(values, wanted):
    row = Row(**{"key": "a", "status": "done", "output": "images/a", **values})
    assert (items.is_wanted(row, False), items.is_wanted(row, True)) == wanted
