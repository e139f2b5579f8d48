"""What a run takes over from earlier ones: all that is the same, and nothing that may not be."""

import io
import json
import os
import pathlib
import shutil
import tarfile
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from photochrom import cli
from serving import colorize
from serving.manifest import manifest
from serving.resume import journal
from tests.support import counters

OLD = 1_000_000_000
ITEMS = "manifest/items-00000-of-00001.jsonl"


@pytest.fixture
def scans(gray_folder, tmp_path) -> pathlib.Path:
    """Scans that were made long ago: two loose ones, a zip of two, a tar of two, a TIFF of two pages, a broken one."""
    folder = tmp_path / "scans"
    shutil.copytree(gray_folder / "box1", folder)
    box = [path.read_bytes() for path in sorted((gray_folder / "box1").iterdir())]
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for i, data in enumerate(box):
            archive.writestr(f"{i}.x", data)
    write_tar(folder / "b.tar", box)
    pages = [Image.open(path).convert("L").crop((0, 0, 90, 60)) for path in sorted((gray_folder / "box1").iterdir())]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:])
    (folder / "broken.jpg").write_bytes(box[0][:3000])
    for path in folder.iterdir():
        os.utime(path, (OLD, OLD))
    return folder


def write_tar(path, contents, modified=OLD):
    with tarfile.open(path, "w") as archive:
        for i, data in enumerate(contents):
            info = tarfile.TarInfo(f"{i}.x")
            info.size, info.mtime = len(data), OLD
            archive.addfile(info, io.BytesIO(data))
    os.utime(path, (modified, modified))


def run(bundle, output, *inputs, flags=()):
    """Runs the job; returns how many rows it kept, scans it read, and pictures it gave to the model."""
    arguments = [f"--model={bundle}", f"--output={output}", *(f"--input={path}" for path in inputs)]
    result = colorize.run([*arguments, "--max_failures=50%", "--date=2026-01-31", *flags])
    found = counters.of(result)
    return tuple(found[name] for name in ("rows-kept", "scans-read", "num_inferences"))


def rows(output):
    return {row["key"]: row for row in map(json.loads, (output / ITEMS).read_text().splitlines())}


def change(path):
    """Changes one pixel, and no size in pixels."""
    pixels = np.array(Image.open(path))
    pixels[0, 0] ^= 255
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize("pages", ["first", "all"])
def test_an_unchanged_archive_is_neither_read_nor_given_to_the_model(tint, scans, tmp_path, pages):
    output = tmp_path / "out"
    flags = [f"--pages={pages}"]
    count = 8 + (pages == "all")
    assert run(tint, output, scans, flags=flags) == (0, count, count - 1)
    before = (output / ITEMS).read_bytes()
    assert run(tint, output, scans, flags=flags) == (count - 1, 1, 0)  # what failed is tried again
    assert run(tint, output, scans, flags=[*flags, "--retry=none"]) == (count, 0, 0)
    assert (output / ITEMS).read_bytes() == before


def test_what_a_list_names_is_looked_up_and_not_read_again(tint, scans, tmp_path):
    (tmp_path / "list.txt").write_text("scans/square.jpg\nscans/a.zip!0.x\nscans/none.jpg\n")
    assert run(tint, tmp_path / "out", tmp_path / "list.txt") == (0, 2, 2)
    assert run(tint, tmp_path / "out", tmp_path / "list.txt") == (2, 0, 0)
    assert rows(tmp_path / "out")["scans/none.jpg"]["reason"] == "not_found"


def test_one_changed_pixel_is_one_call(tint, scans, tmp_path):
    run(tint, tmp_path / "out", scans)
    change(scans / "wide.png")
    assert run(tint, tmp_path / "out", scans) == (6, 2, 1)


def test_a_touched_file_is_read_once_more_and_kept(tint, scans, tmp_path):
    run(tint, tmp_path / "out", scans, flags=["--retry=none"])
    before = rows(tmp_path / "out")
    os.utime(scans / "square.jpg", (OLD + 9, OLD + 9))
    assert run(tint, tmp_path / "out", scans, flags=["--retry=none"]) == (8, 1, 0)
    after = rows(tmp_path / "out")
    before["scans/square.jpg"]["source_version"] = f"mtime:{OLD + 9}000000000"
    assert after == before
    assert run(tint, tmp_path / "out", scans, flags=["--retry=none"]) == (8, 0, 0)


def test_a_file_that_was_modified_just_now_is_read_again(tint, scans, tmp_path):
    os.utime(scans / "square.jpg", (time.time() + 600, time.time() + 600))  # by a clock that is ahead
    run(tint, tmp_path / "out", scans / "square.jpg")
    assert rows(tmp_path / "out")["square.jpg"]["source_version"] == ""
    assert run(tint, tmp_path / "out", scans / "square.jpg")[1] == 1


def test_a_tar_that_was_made_anew_is_read_though_its_members_have_the_same_times_and_sizes(tint, scans, tmp_path):
    pixels = np.tile(np.arange(0, 200, 2, dtype=np.uint8), (80, 1))
    contents = []
    for gradient in (pixels, 200 - pixels):
        buffer = io.BytesIO()
        Image.fromarray(gradient).save(buffer, "BMP")
        contents.append(buffer.getvalue())
    assert len(contents[0]) == len(contents[1]) and contents[0] != contents[1]
    write_tar(tmp_path / "c.tar", contents)
    run(tint, tmp_path / "out", tmp_path / "c.tar")
    assert run(tint, tmp_path / "out", tmp_path / "c.tar") == (2, 0, 0)
    write_tar(tmp_path / "c.tar", contents[::-1], modified=OLD + 1)
    assert run(tint, tmp_path / "out", tmp_path / "c.tar") == (0, 2, 0)  # blank, both


def test_another_model_makes_all_anew(tint, strong_tint, scans, tmp_path):
    run(tint, tmp_path / "out", scans)
    assert run(strong_tint, tmp_path / "out", scans) == (0, 8, 7)


def test_another_setting_makes_all_anew(tint, scans, tmp_path):
    run(tint, tmp_path / "out", scans)
    assert run(tint, tmp_path / "out", scans, flags=["--saturation=1.5"]) == (0, 8, 7)


def test_a_source_that_is_gone_is_told_and_its_copy_kept(tint, scans, tmp_path, capsys):
    output = tmp_path / "out"
    run(tint, output, scans, flags=["--retry=none"])
    before = rows(output)
    (scans / "a.zip").rename(tmp_path / "a.zip")
    (scans / "broken.jpg").unlink()
    for _ in range(2):
        capsys.readouterr()
        run(tint, output, scans)
        assert "gone            2  no longer in the input; their copies are kept" in capsys.readouterr().out
    gone = [json.loads(line) for line in (output / "manifest/gone-00000-of-00001.jsonl").read_text().splitlines()]
    assert gone == [before["scans/a.zip!0.x"], before["scans/a.zip!1.x"]]
    assert cli.main(["verify", str(output)]) == 0
    (tmp_path / "a.zip").rename(scans / "a.zip")
    assert run(tint, output, scans) == (7, 0, 0)
    assert {key: before[key] for key in rows(output)} == rows(output)
    assert not (output / "manifest/gone-00000-of-00001.jsonl").exists()
    shutil.rmtree(output / "images/scans/a.zip")
    (scans / "a.zip").unlink()
    run(tint, output, scans)
    assert manifest.read_summary(str(output))["gone"] == 0


def test_what_a_killed_run_noted_is_kept(tint, scans, tmp_path):
    wanted, output = tmp_path / "wanted", tmp_path / "out"
    for folder, flags in ((wanted, ["--format=tiff"]), (wanted, []), (output, ["--format=tiff"])):
        run(tint, folder, scans, flags=flags)
    tiffs, finished = rows(output), rows(wanted)
    for key in ("scans/square.jpg", "scans/wide.png"):  # as if the second run were killed after these
        shutil.copy(wanted / finished[key]["output"], output / finished[key]["output"])
        obsolete = [tiffs[key]["output"]]
        journal.note(str(output), [{**finished[key], "run": 0, manifest.OBSOLETE: obsolete}])
    assert cli.main(["status", str(output)]) == 1
    assert run(tint, output, scans) == (2, 6, 5)
    assert rows(output) == finished
    assert sorted(os.listdir(output / "manifest")) == sorted(os.listdir(wanted / "manifest"))
    assert cli.main(["verify", str(output)]) == 0


def test_a_copy_that_a_killed_run_of_another_model_may_have_written_over_is_made_again(tint, scans, tmp_path):
    output = tmp_path / "out"
    run(tint, output, scans)
    finished = rows(output)
    for key in ("scans/square.jpg", "scans/wide.png"):
        made_with = {"source_sha256": finished[key]["source_sha256"], "model_digest": "b", "settings_digest": "c"}
        journal.note(str(output), [journal.begun(key, made_with, "2026-01-31")])
    (output / "images/scans/wide.png").write_bytes(b"by another model")
    assert run(tint, output, scans) == (6, 2, 1)
    assert rows(output) == finished
    assert cli.main(["verify", str(output)]) == 0
