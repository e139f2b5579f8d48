"""verify on the folders of real runs, after their files were tampered with."""

import hashlib
import json
import os
import pathlib

import numpy as np
import pytest
from PIL import Image

from photochrom import cli
from photochrom.storage import files
from serving.manifest import reader
from tests.support import runs
from tests.support.runs import edit_row, read_rows

pytestmark = pytest.mark.job  # whole jobs or trainings


def verify(output, capsys) -> tuple[int, dict, list[str]]:
    """Returns the exit status, the JSON of --json, and the lines without it."""
    code = cli.main(["verify", str(output), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert cli.main(["verify", str(output)]) == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[:-2] == [f"{f['kind']}: {f['path']}: {f['detail']}" for f in found["findings"]]
    return code, found, lines


def flip(path: pathlib.Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_verify_accepts_an_untouched_folder(coloured, capsys):
    code, found, lines = verify(coloured, capsys)
    sizes = [path.stat().st_size for path in (coloured / "images").rglob("*") if path.is_file()]
    assert code == 0 and found["findings"] == []
    assert (found["named"], found["read"], found["bytes"]) == (6, 6, sum(sizes))
    assert lines[-1] == "all as the manifest says"


def test_verify_names_missing_changed_and_foreign_files(output, capsys):
    flip(output / "images/scans/tall.tif")
    (output / "images/scans/lossy.webp").unlink()
    (output / "images/scans/stray\n.jpg").write_bytes(b"x")
    (output / "manifest/notes.txt").write_text("x")
    (output / f"images/{files.TEMPORARY_MARK}12").write_text("half")
    (output / "images/gone.jpg").symlink_to(output / "nowhere")
    code, found, lines = verify(output, capsys)
    assert code == 1
    assert [(f["kind"], f["path"]) for f in found["findings"]] == [
        ("missing", "images/scans/lossy.webp"),
        ("changed", "images/scans/tall.tif"),
        ("temporary", f"images/{files.TEMPORARY_MARK}12"),
        ("foreign", "images/gone.jpg"),
        ("foreign", "images/scans/stray\\x0a.jpg"),
        ("foreign", "manifest/notes.txt"),
    ]
    digest = hashlib.sha256((output / "images/scans/tall.tif").read_bytes()).hexdigest()
    row = read_rows(output)["scans/tall.tif"]
    assert found["findings"][1]["detail"] == f"has SHA-256 {digest}, its row says {row['output_sha256']}"
    assert (found["named"], found["read"]) == (6, 5)
    assert lines[-1] == "1 missing, 1 changed, 3 foreign, 1 temporary"


def test_verify_reads_sidecars(output, capsys):
    row = read_rows(output)["scans/tall.tif"]
    name = f"{row['output']}.iptc"
    (output / name).write_bytes(b"records")
    assert verify(output, capsys)[1]["foreign"] == 1
    edit_row(output, row["key"], sidecars={name: hashlib.sha256(b"records").hexdigest()})
    code, found, _ = verify(output, capsys)
    assert code == 0 and found["read"] == 7
    flip(output / name)
    assert [f["path"] for f in verify(output, capsys)[1]["findings"]] == [name]


def test_verify_opens_only_regular_files_inside(output, capsys):
    os.mkfifo(output.parent / "pipe")  # opening one would wait for ever
    for name in ("tall.tif", "lossy.webp", "deep.png"):
        (output / "images/scans" / name).unlink()
    (output / "images/scans/tall.tif").symlink_to(output.parent / "pipe")
    os.mkfifo(output / "images/scans/lossy.webp")
    (output / "images/scans/deep.png").mkdir()
    (output.parent / "box").mkdir()
    (output / "images/scans/box1").rename(output.parent / "box/box1")
    (output / "images/scans/box1").symlink_to(output.parent / "box/box1")
    code, found, _ = verify(output, capsys)
    assert code == 1 and found["unreadable"] == 5
    assert {f["path"].removeprefix("images/scans/"): f["detail"] for f in found["findings"]} == {
        "box1/square.jpg": "leads out of the folder by a link; it was not read",
        "box1/wide.png": "leads out of the folder by a link; it was not read",
        "tall.tif": "leads out of the folder by a link; it was not read",
        "lossy.webp": "is no regular file",
        "deep.png": "is no regular file",
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"output": "images/../../secret"}, "images/../../secret: expected a path below images/"),
        ({"output": "/etc/passwd"}, "/etc/passwd: expected a path below images/, in the row of scans/tall.tif"),
        ({"output": "manifest/summary.json"}, "expected a path below images/"),
        ({"output": "images/a\0b"}, "images/a\\x00b: expected a path below images/"),
        ({"output_sha256": "none"}, "its row has no SHA-256"),
        ({"sidecars": {"images/scans/../../../x": "0" * 64}}, "expected a path below images/"),
    ],
)
def test_verify_refuses_paths_that_colorize_never_writes(output, capsys, values, words):
    (output.parent / "secret").write_text("x")
    flip(output / "images/scans/box1/square.jpg")
    edit_row(output, "scans/tall.tif", **values)
    assert cli.main(["verify", str(output)]) == 2
    said = capsys.readouterr()
    assert words in said.err and len(said.err.splitlines()) == 1 and not said.out


def test_verify_reports_wrong_totals_and_an_open_run(output, capsys):
    (output / ".colorize/progress").mkdir(parents=True)
    (output / ".colorize/progress/host-1.json").write_text("{}")
    edit_row(output, "scans/sepia.jpg", status="skipped")
    code, found, _ = verify(output, capsys)
    assert code == 1
    assert [f["detail"] for f in found["findings"]] == [
        "the manifest has 5 rows that are done, its summary.json says 6",
        "the manifest has 1 rows that are skipped, its summary.json says 0",
        reader.UNDER_WAY,
    ]


def test_verify_reads_a_copy_of_several_pages_once(tint, photographs, tmp_path, capsys):
    pages = [Image.fromarray(np.roll(photographs["coffee"], 9 * i, axis=1)) for i in range(3)]
    (tmp_path / "in").mkdir()
    pages[0].save(tmp_path / "in/pages.tif", save_all=True, append_images=pages[1:])
    run = runs.colorize(tint, tmp_path / "out", tmp_path / "in", flags=["--pages=all", "--color_inputs=copy"])
    assert [row["output"] for row in run.rows.values()] == ["images/in/pages.tif"] * 3
    capsys.readouterr()
    code, found, _ = verify(tmp_path / "out", capsys)
    assert (code, found["named"], found["read"]) == (0, 1, 1)


def test_verify_reads_a_folder_in_a_bucket(output, bucket, capsys):
    files.copy_folder(str(output), f"{bucket}/whole")
    assert verify(f"{bucket}/whole", capsys)[0] == 0
    flip(output / "images/scans/tall.tif")
    (output / "images/scans/lossy.webp").unlink()
    (output / "images/stray.jpg").write_bytes(b"x")
    files.copy_folder(str(output), f"{bucket}/out")
    assert cli.main(["status", f"{bucket}/out"]) == 0
    capsys.readouterr()
    _, found, _ = verify(f"{bucket}/out", capsys)
    assert [(f["kind"], f["path"]) for f in found["findings"]] == [
        ("missing", "images/scans/lossy.webp"),
        ("changed", "images/scans/tall.tif"),
        ("foreign", "images/stray.jpg"),
    ]
