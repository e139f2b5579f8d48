"""Whole runs on hostile names and edited folders: one file for each row, nothing outside the output folder changed."""

import io
import json
import os
import pathlib
import shutil
import tarfile
import tempfile
import unicodedata
import zipfile

import bagit
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from photochrom import cli
from tests.support import runs

pytestmark = pytest.mark.job  # whole jobs or trainings

MEMBERS = [
    "a.jpg", "./a.jpg", "A.JPG", "a.JPG", "p/y.jpg", "p/./y.jpg", "P/y.jpg", "x.jpg", "x.jpg/y.jpg", "X.JPG/z.gif",
    "b.gif", "b.gif.coloured.png", "b.gif.Coloured.png", "b", "b/c.gif", "d.zip/x.jpg", "é.jpg", "~", "~.jpg",
    unicodedata.normalize("NFD", "é.jpg"), "n\nm.jpg", "n\\x0am.jpg", "t.tif", "t.tif#page=0001", "T.tif#PAGE=0001",
    "a%0Ab.jpg", "a.jpg ", ".photochrom-tmp-1.jpg", "e/x.scan", "u\u2028v.png",
]  # fmt: skip
LOOSE = ["d.zip/x.jpg", "D.zip/x.jpg", "a.jpg", "A.jpg", "b.gif", "b.gif.coloured.png", "d.zip~/x.jpg", "q.tar/1.jpg"]
NAMES = st.lists(st.sampled_from(MEMBERS), min_size=4, max_size=12, unique=True)


def picture(number: int) -> bytes:
    """Returns a tiny picture: gray JPEG, TIFF, GIF by turns, and every fourth one in colours."""
    noise = np.random.default_rng(number).integers(40, 210, (5, 4, 3)).astype(np.uint8)
    image = Image.fromarray(noise).resize((40, 48), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    kind = ("JPEG", "TIFF", "GIF", "PNG")[number % 4]
    (image if kind == "PNG" else image.convert("L")).save(buffer, kind)
    return buffer.getvalue()


def write_archives(folder: pathlib.Path, in_zip: list[str], in_tar: list[str], loose: list[str]) -> None:
    with zipfile.ZipFile(folder / "d.zip~~", "w") as archive:
        for i, name in enumerate(in_zip):
            archive.writestr(zipfile.ZipInfo(name), picture(i))
    os.rename(folder / "d.zip~~", folder / "box.ZIP")
    with tarfile.open(folder / "q.tar~", "w") as archive:
        for i, name in enumerate(in_tar):
            info = tarfile.TarInfo(name)
            info.size = len(picture(i))
            archive.addfile(info, io.BytesIO(picture(i)))
    os.rename(folder / "q.tar~", folder / "box.tar")
    for i, name in enumerate(loose):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(picture(i))
    for path in folder.rglob("*"):
        os.utime(path, (1e9, 1e9))


@settings(
    max_examples=int(os.environ.get("PHOTOCHROM_EXAMPLES", "1")),
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(NAMES, NAMES, st.lists(st.sampled_from(LOOSE), unique=True), st.sampled_from(["keep", "png", "jpeg"]))
@example(MEMBERS, ["./a.jpg", "a.jpg", "p/y.jpg"], LOOSE, "keep")
def test_each_done_row_has_a_file(tint, in_zip, in_tar, loose, format):
    with tempfile.TemporaryDirectory() as folder:
        scans, output = pathlib.Path(folder, "scans"), pathlib.Path(folder, "out")
        scans.mkdir()
        write_archives(scans, in_zip, in_tar, loose)
        flags = ["--color_inputs=copy", "--unsuitable=colorize", f"--format={format}"]
        found = runs.colorize(tint, output, scans, flags=flags).rows
        written = [str(path.relative_to(output)) for path in (output / "images").rglob("*") if path.is_file()]
        named = [path for row in found.values() for path in (row["output"], *row["sidecars"]) if path]
        assert sorted(named) == sorted(written)
        assert sum(row["status"] == "done" for row in found.values()) >= len(loose) + 4
        assert {row["reason"] for row in found.values() if row["status"] == "failed"} <= {
            "unsafe_name",
            "duplicate_name",
        }
        assert cli.main(["verify", str(output)]) == 0
        assert cli.main(["bag", str(output), f"--output={folder}/bag"]) == 0
        bagit.Bag(f"{folder}/bag").validate()
        assert runs.colorize(tint, output, scans, flags=flags).work[1:] == (0, 0)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_link_in_the_output_is_not_followed(tint, gray_folder, tmp_path, capsys, kind):
    scans, output, other = tmp_path / "scans", tmp_path / "out", tmp_path / "other"
    scans.mkdir()
    other.mkdir()
    shutil.copy(gray_folder / "box1/square.jpg", scans / "1.jpg")
    (other / "1.jpg.coloured.png").write_bytes(b"not ours")
    assert runs.colorize(tint, output, scans, flags=["--format=png"]).rows["scans/1.jpg"]["status"] == "done"
    copy = output / "images/scans/1.jpg.coloured.png"
    if kind == "folder":
        shutil.rmtree(copy.parent)
        copy.parent.symlink_to(other)
    else:
        copy.unlink()
        copy.symlink_to(other / copy.name)
    command = ["colorize", f"--model={tint}", f"--output={output}", f"--input={scans}", "--max_failures=100%"]
    status = cli.main(command)
    said = capsys.readouterr().err.strip().splitlines()[-1]
    if kind == "folder":  # the new copy would be written through the link
        assert status == 3 and "none of 1 inputs is done (1 failed: unwritable_name)" in said
    else:  # the earlier copy would be deleted
        assert status == 1 and "symbolic link" in said
    assert {path.name: path.read_bytes() for path in other.iterdir()} == {"1.jpg.coloured.png": b"not ours"}


@pytest.mark.parametrize(
    "values",
    [
        {"output": "../other/a.jpg"},
        {"sidecars": {"images/../../other/a.jpg": "0" * 64}},
        {"output": "/other/a.jpg", "model_digest": "sha256:0"},
    ],
)
def test_edited_manifest_deletes_nothing(output, gray_folder, tint, capsys, values):
    runs.edit_row(output, "scans/tall.tif", **values)
    before = runs.tree(output.parent)
    assert cli.main(["colorize", f"--model={tint}", f"--output={output}", f"--input={gray_folder}"]) == 2
    assert "items-00000-of-00001.jsonl, line" in capsys.readouterr().err
    assert runs.tree(output.parent) == before


def test_nothing_done_is_status_3(tint, gray_folder, tmp_path, capsys):
    flags = [f"--model={tint}", f"--output={tmp_path}/out", f"--input={gray_folder}/colour.jpg"]
    assert cli.main(["colorize", *flags]) == 3
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert "none of 1 inputs is done (1 skipped: color_input); the rows in" in last
    assert json.loads((tmp_path / "out/manifest/summary.json").read_text())["skipped"] == 1
