"""review on the folders of real runs; tests/serving/review/test_in_browser.py looks at the page itself."""

import json
import pathlib

import numpy as np
import pytest
from PIL import Image

from photochrom import cli
from photochrom.storage import files, gcs_objects
from serving import review_page
from tests.support import counters, runs
from tests.support.runs import edit_row, read_rows, tree

pytestmark = pytest.mark.job  # whole jobs


def review(output) -> tuple[int, int]:
    """Makes the page; returns how many thumbnails were made, and how many are impossible."""
    found = counters.of(review_page.run([str(output)]))
    return found["thumbnails-made"], found["thumbnails-missing"]


def names(output, folder: str) -> set[str]:
    return {path.name for path in (output / "review" / folder).rglob("*") if path.is_file()}


def data(output, part: str) -> dict:
    (path,) = (output / "review/data").glob(f"{part}-*.js")
    return json.loads(path.read_text().removeprefix("photochrom.add(").removesuffix(");\n"))


@pytest.fixture
def reviewed(output) -> pathlib.Path:
    assert review(output) == (6, 0)
    return output


def test_review_shows_every_row(reviewed, capsys):
    rows = read_rows(reviewed)
    pictures, others = data(reviewed, "pictures"), data(reviewed, "others")
    done = {row["output_sha256"] for row in rows.values() if row["status"] == "done"}
    assert set(pictures["sha256"]) == done and {name[:64] for name in names(reviewed, "thumbs")} == done
    assert set(others["name"]) == {"broken.jpg", "colour.jpg", "notes.txt"}
    assert names(reviewed, "views") == {f"{rows['scans/tall.tif']['output_sha256']}.webp"}
    review(reviewed)
    assert f"open {reviewed}/review/index.html in a browser" in capsys.readouterr().out


def test_second_review_changes_nothing(reviewed):
    before = tree(reviewed)
    assert review(reviewed) == (0, 0)
    assert tree(reviewed) == before


def test_review_replaces_only_changed_thumbnails(reviewed, strong_tint, gray_folder):
    before = names(reviewed, "thumbs")
    path = reviewed / "images/scans/tall.tif"
    Image.fromarray(np.full((300, 120, 3), (90, 120, 160), np.uint8)).save(path)
    edit_row(reviewed, "scans/tall.tif", output_sha256=tree(reviewed)["images/scans/tall.tif"])
    (reviewed / "images/scans/deep.png").unlink()
    edit_row(reviewed, "scans/deep.png", status="failed", reason="unreadable", output="", output_sha256="")
    assert review(reviewed) == (1, 0)
    assert len(before & names(reviewed, "thumbs")) == 4 and len(names(reviewed, "thumbs")) == 5
    assert len(names(reviewed, "views")) == 1


def test_damaged_copy_is_shown_with_its_problem(output, capsys):
    (output / "images/scans/lossy.webp").write_bytes(b"other")
    assert review(output) == (5, 1)
    found = data(output, "pictures")
    place = found["name"].index("lossy.webp")
    assert "was changed" in found["problem"]["values"][found["problem"]["codes"][place]]
    assert "5 thumbnails made, 1 impossible" in capsys.readouterr().out


def test_verify_and_resume_leave_the_page_alone(reviewed, tint, gray_folder):
    before = tree(reviewed / "review")
    assert cli.main(["verify", str(reviewed)]) == 0
    assert runs.colorize(tint, reviewed, gray_folder).work[2] == 0
    assert tree(reviewed / "review") == before


def test_review_of_no_output_folder_is_refused(tmp_path, capsys):
    assert cli.main(["review", str(tmp_path)]) == 2
    assert "no run has finished there" in capsys.readouterr().err
    assert not (tmp_path / "review").exists()


def test_unknown_flag_is_refused(output, capsys):
    assert cli.main(["review", str(output), "--thumbnail_size=3"]) == 2
    assert "--thumbnail_size" in capsys.readouterr().err


def test_review_works_in_a_bucket(output, bucket):
    files.copy_folder(str(output), f"{bucket}/out")
    assert review(f"{bucket}/out") == (6, 0)
    assert review(f"{bucket}/out") == (0, 0)
    page = gcs_objects.blob(f"{bucket}/out/review/index.html")
    page.reload()
    assert page.content_type == "text/html"


def test_colorize_makes_the_page_if_asked(tint, gray_folder, tmp_path, capsys):
    runs.colorize(tint, tmp_path / "out", gray_folder, flags=["--review"])
    assert f"open {tmp_path}/out/review/index.html in a browser\nin this run: 9 new" in capsys.readouterr().out
    runs.colorize(tint, tmp_path / "out", gray_folder)
    assert f"accept and reject: photochrom review {tmp_path}/out\n" in capsys.readouterr().out
