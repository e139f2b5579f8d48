"""Resuming by whole runs: no input vanishes, no two write one file, no file that a row names is deleted.

The decision itself is tested in resume/test_decide.py, the steps in test_read_scans.py.
"""

import hashlib
import io
import json
import os
import pathlib
import shutil
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from photochrom import cli
from photochrom.sources import inputs
from serving.manifest import reader
from serving.manifest.rows import Begun, Outcome, Row
from serving.resume import journal
from tests.support import runs
from tests.support.runs import ITEMS, read_rows

pytestmark = pytest.mark.job  # whole jobs or trainings

OLD = 1_000_000_000


@pytest.fixture
def scans(gray_folder, tmp_path) -> pathlib.Path:
    """Scans with old times: two loose ones, a zip of two, a tar of two, a TIFF of two pages, a broken one."""
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


@pytest.fixture
def gray(photographs):
    return Image.fromarray(photographs["coffee"]).convert("L").resize((120, 80))


def sepia(gray):
    return Image.fromarray((np.asarray(gray)[:, :, None] * np.array([1.0, 0.86, 0.68])).astype(np.uint8))


def assert_whole(output, found):
    """Each row's copy exists, has the digest of the row, and is no other row's, but for pages that share one copy."""
    for row in found.values():
        for path, digest in {
            **row["sidecars"],
            **({row["output"]: row["output_sha256"]} if row["output"] else {}),
        }.items():
            assert hashlib.sha256((output / path).read_bytes()).hexdigest() == digest, path
    made = [row["output"] for row in found.values() if row["output"] and row["reason"] == ""]
    assert len(made) == len(set(made))


@pytest.mark.parametrize("pages", ["first", "all"])
def test_unchanged_archive_is_not_read_again(tint, scans, tmp_path, pages):
    output = tmp_path / "out"
    flags = [f"--pages={pages}"]
    count = 8 + (pages == "all")
    assert runs.colorize(tint, output, scans, flags=flags).work == (0, count, count - 1)
    before = (output / ITEMS).read_bytes()
    assert runs.colorize(tint, output, scans, flags=flags).work == (count - 1, 1, 0)  # what failed is tried again
    assert runs.colorize(tint, output, scans, flags=[*flags, "--retry=none"]).work == (count, 0, 0)
    assert (output / ITEMS).read_bytes() == before


def test_files_that_a_list_names_are_kept_unread(tint, scans, tmp_path):
    (tmp_path / "list.txt").write_text("scans/square.jpg\nscans/a.zip!0.x\nscans/none.jpg\n")
    assert runs.colorize(tint, tmp_path / "out", tmp_path / "list.txt").work == (0, 2, 2)
    assert runs.colorize(tint, tmp_path / "out", tmp_path / "list.txt").work == (2, 0, 0)
    assert read_rows(tmp_path / "out")["scans/none.jpg"]["reason"] == "not_found"


def test_delisted_source_is_reported_and_its_copy_kept(tint, scans, tmp_path, capsys):
    output = tmp_path / "out"
    runs.colorize(tint, output, scans, flags=["--retry=none"])
    before = read_rows(output)
    (scans / "a.zip").rename(tmp_path / "a.zip")
    (scans / "broken.jpg").unlink()
    for _ in range(2):
        capsys.readouterr()
        runs.colorize(tint, output, scans)
        assert "gone            2  no longer in the input; their copies are kept" in capsys.readouterr().out
    gone = [json.loads(line) for line in (output / "manifest/gone-00000-of-00001.jsonl").read_text().splitlines()]
    assert gone == [before["scans/a.zip!0.x"], before["scans/a.zip!1.x"]]
    assert cli.main(["verify", str(output)]) == 0
    (tmp_path / "a.zip").rename(scans / "a.zip")
    assert runs.colorize(tint, output, scans).work == (7, 0, 0)
    assert {key: before[key] for key in read_rows(output)} == read_rows(output)
    assert not (output / "manifest/gone-00000-of-00001.jsonl").exists()
    shutil.rmtree(output / "images/scans/a.zip")
    (scans / "a.zip").unlink()
    runs.colorize(tint, output, scans)
    assert reader.read_summary(str(output)).gone == 0


def test_rows_noted_by_a_killed_run_are_kept(tint, scans, tmp_path):
    wanted, output = tmp_path / "wanted", tmp_path / "out"
    for folder, flags in ((wanted, ["--format=tiff"]), (wanted, []), (output, ["--format=tiff"])):
        runs.colorize(tint, folder, scans, flags=flags)
    tiffs, finished = read_rows(output), read_rows(wanted)
    for key in ("scans/square.jpg", "scans/wide.png"):  # as if the second run were killed after these
        shutil.copy(wanted / finished[key]["output"], output / finished[key]["output"])
        noted = Row.from_json({**finished[key], "run": 0})
        begun = Begun.of(Row.from_json({**tiffs[key], "date": "2026-02-02"}))  # by yet another one: the copies are read
        journal.note(str(output), [Outcome(noted, (tiffs[key]["output"],)), begun])
    assert cli.main(["status", str(output)]) == 1
    assert runs.colorize(tint, output, scans).work == (2, 6, 5)
    assert read_rows(output) == finished
    assert sorted(os.listdir(output / "manifest")) == sorted(os.listdir(wanted / "manifest"))
    assert cli.main(["verify", str(output)]) == 0


def test_tar_made_again_has_other_versions(tmp_path):
    members = [b"BM12", b"BM34"]
    path = tmp_path / "c.tar"
    versions = []
    for contents, modified in ((members, OLD), (members, OLD), (members[::-1], OLD + 1)):
        write_tar(path, contents, modified)  # its members have the same times and sizes
        [listed] = inputs.list_files(inputs.parse([str(path)])[0])
        versions.append([source.version for source in inputs.expand(listed, str(tmp_path))])
    assert versions[0] == versions[1] and not set(versions[0]) & set(versions[2])


def test_no_two_inputs_write_one_file(tint, gray, photographs, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    gray.save(folder / "a", "JPEG")
    gray.save(folder / "a.jpg")
    gray.save(folder / "b.png", "JPEG")
    gray.save(folder / "b.png.jpg")
    gray.save(folder / "c.gif")
    Image.fromarray(photographs["coffee"]).save(folder / "c.gif.png")
    gray.save(folder / "p.tif", save_all=True, append_images=[gray])
    gray.save(folder / "p.tif#page=0001.tif")
    found = runs.colorize(tint, tmp_path / "out", folder, flags=["--pages=all", "--color_inputs=copy"]).rows
    assert len(found) == 9 and {row["status"] for row in found.values()} == {"done"}
    assert len({row["output"] for row in found.values()}) == 9
    assert_whole(tmp_path / "out", found)


def test_only_files_that_no_row_names_are_deleted(tint, gray, photographs, tmp_path):
    folder, output = tmp_path / "scans", tmp_path / "out"
    folder.mkdir()
    gray.save(folder / "gray.gif")
    gray.save(folder / "breaks.jpg")
    sepia(gray).save(folder / "sepia.tif")
    colour = Image.fromarray(photographs["coffee"]).resize((120, 80))
    for i in range(4):
        sepia(gray).save(folder / f"pages{i}.tif", save_all=True, append_images=[colour])
    flags = ["--pages=all", "--color_inputs=copy"]
    first = runs.colorize(tint, output, folder, flags=[*flags, "--toned=keep"]).rows
    assert (output / "images/scans/sepia.tif").read_bytes() == (folder / "sepia.tif").read_bytes()
    (folder / "breaks.jpg").write_bytes((folder / "breaks.jpg").read_bytes()[:300])
    second = runs.colorize(tint, output, folder, flags=[*flags, "--toned=skip", "--format=tiff"]).rows
    assert_whole(output, second)
    assert second["scans/sepia.tif"]["reason"] == "toned" and not (output / "images/scans/sepia.tif").exists()
    assert not (output / first["scans/gray.gif"]["output"]).exists()
    assert second["scans/breaks.jpg"]["status"] == "failed" and (output / first["scans/breaks.jpg"]["output"]).exists()
    # The coloured second page keeps the copy of the file, though the toned first page no longer names it.
    assert {second[f"scans/pages{i}.tif#page=0001"]["reason"] for i in range(4)} == {"toned"}
    assert all((output / f"images/scans/pages{i}.tif").exists() for i in range(4))
