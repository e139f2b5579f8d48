"""The decision about obsolete files; whole jobs are in test_colorize.py, test_resuming.py, test_written_files.py."""

import os

import pytest

from serving import pipeline


@pytest.mark.parametrize(
    ("obsolete", "named", "deleted"),
    [
        (["images/a.jpg"], [], ["images/a.jpg"]),
        (["images/a.jpg"], ["images/a.jpg"], []),
        (["images/a.jpg", "images/A.jpg"], ["images/A.jpg"], ["images/a.jpg"]),
        (["images/./a.jpg"], ["images/a.jpg"], []),
        (["images/gone.jpg"], ["images/Gone.jpg"], ["images/gone.jpg"]),
        # Links to one file, as the names are where the file system ignores case.
        (["images/same.jpg"], ["images/Same.jpg"], []),
        ([], ["images/a.jpg"], []),
    ],
)
@pytest.mark.parametrize("part", ["named", "kept"])
def test_named_no_more_compares_files_themselves(tmp_path, obsolete, named, deleted, part):
    (tmp_path / "images").mkdir()
    for name in ("a.jpg", "A.jpg", "same.jpg"):
        (tmp_path / "images" / name).write_bytes(b"1")
    os.link(tmp_path / "images/same.jpg", tmp_path / "images/Same.jpg")
    found = {"obsolete": obsolete, "named": [], "kept": [], part: named}
    assert pipeline._named_no_more(("images/a.jpg", found), str(tmp_path)) == deleted


def test_named_no_more_compares_names_in_buckets():
    found = {"obsolete": ["images/a.jpg"], "named": ["images/A.jpg"], "kept": []}
    assert pipeline._named_no_more(("images/a.jpg", found), "gs://b/out") == ["images/a.jpg"]
