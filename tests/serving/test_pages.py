import io

import numpy as np
import pytest
from PIL import Image

from photochrom.imaging.sandbox.decoder import Decoder
from photochrom.sources.source import Source
from serving import pages

SCANS = [Image.fromarray(np.full((20, 30), value, np.uint8)) for value in (40, 90, 140)]


def several(format: str) -> bytes:
    buffer = io.BytesIO()
    first, *others = (scan.copy() for scan in SCANS)  # saving leaves an encoder's settings on them
    first.save(buffer, format, save_all=True, append_images=others)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "count"),
    [(several("TIFF"), 3), (several("PDF"), 3), (several("GIF"), 1), (b"%PDF-1.7 broken", 1), (b"", 1)],
    ids=["TIFF", "PDF", "GIF", "broken PDF", "empty"],
)
def test_count_pages_makes_a_source_of_each(tmp_path, data, count):
    (tmp_path / "a").write_bytes(data)
    source = Source("s/a", str(tmp_path / "a"), size=len(data), version="1")
    step = pages.CountPages(Decoder(10**6), str(tmp_path / "progress"))
    found = list(step.process(("s/a", {"known": [], "sources": [source]})))
    keys = [f"s/a#page={n:04d}" for n in range(1, count + 1)] if count > 1 else ["s/a"]
    assert [(one.key, one.page, one.page_count) for one in found] == [(key, i, count) for i, key in enumerate(keys)]


def test_count_pages_that_takes_too_long_is_the_failure(tmp_path):
    """So the file is not opened a second time, for as long again."""
    (tmp_path / "a").write_bytes(several("TIFF") + bytes(20 << 20))
    step = pages.CountPages(Decoder(10**6, timeout_seconds=0), str(tmp_path / "progress"))
    source = Source("s/a", str(tmp_path / "a"))
    (found,) = step.process(("s/a", {"known": [], "sources": [source]}))
    assert found.failure.reason == "read_timeout"
