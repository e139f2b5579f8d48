"""No input vanishes, no two write one file, and nothing is deleted that a row names."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from photochrom import errors
from photochrom.imaging.sandbox.decoder import Decoder
from photochrom.sources.source import Source
from serving import bag, colorize, scans


def run(tint, output, *inputs, flags=()):
    arguments = [f"--model={tint}", f"--output={output}", *(f"--input={path}" for path in inputs)]
    colorize.run([*arguments, "--max_failures=100%", "--date=2026-01-31", *flags])
    lines = [line for path in (output / "manifest").glob("items-*.jsonl") for line in path.read_text().splitlines()]
    return {row["key"]: row for row in map(json.loads, lines)}


@pytest.fixture
def gray(photographs):
    return Image.fromarray(photographs["coffee"]).convert("L").resize((120, 80))


def sepia(gray):
    return Image.fromarray((np.asarray(gray)[:, :, None] * np.array([1.0, 0.86, 0.68])).astype(np.uint8))


def assert_whole(output, found):
    """Each row's copy is there, is what the row says, and is no other row's, but for pages that lie in one copy."""
    for row in found.values():
        for path, digest in {
            **row["sidecars"],
            **({row["output"]: row["output_sha256"]} if row["output"] else {}),
        }.items():
            assert hashlib.sha256((output / path).read_bytes()).hexdigest() == digest, path
    made = [row["output"] for row in found.values() if row["output"] and row["reason"] == ""]
    assert len(made) == len(set(made))


def test_different_files_with_one_key_fail_and_are_named(tint, gray, tmp_path):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        gray.save(tmp_path / name / "001.jpg")
        (tmp_path / name / "list.txt").write_text("001.jpg\n")
    found = run(tint, tmp_path / "out", tmp_path / "x/list.txt", tmp_path / "y/list.txt")
    row = found["001.jpg"]
    assert (row["status"], row["stage"], row["reason"]) == ("failed", "list", "duplicate_key")
    assert "2 inputs have this key" in row["message"] and "x/001.jpg" in row["message"] and "y/001" in row["message"]


def test_one_file_that_two_inputs_list_is_one_input(tint, gray, tmp_path):
    (tmp_path / "x").mkdir()
    gray.save(tmp_path / "x" / "001.jpg")
    found = run(tint, tmp_path / "out", tmp_path / "x", tmp_path / "x" / "*.jpg", flags=["--retry=all"])
    assert [row["status"] for row in found.values()] == ["done", "done"]  # x/001.jpg, and 001.jpg of the pattern


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
    found = run(tint, tmp_path / "out", folder, flags=["--pages=all", "--color_inputs=copy"])
    assert len(found) == 9 and {row["status"] for row in found.values()} == {"done"}
    assert len({row["output"] for row in found.values()}) == 9
    assert_whole(tmp_path / "out", found)


def test_what_no_row_names_any_more_is_deleted_and_nothing_else(tint, gray, photographs, tmp_path):
    folder, output = tmp_path / "scans", tmp_path / "out"
    folder.mkdir()
    gray.save(folder / "gray.gif")
    gray.save(folder / "breaks.jpg")
    sepia(gray).save(folder / "sepia.tif")
    colour = Image.fromarray(photographs["coffee"]).resize((120, 80))
    for i in range(4):
        sepia(gray).save(folder / f"pages{i}.tif", save_all=True, append_images=[colour])
    flags = ["--pages=all", "--color_inputs=copy"]
    first = run(tint, output, folder, flags=[*flags, "--toned=keep"])
    assert (output / "images/scans/sepia.tif").read_bytes() == (folder / "sepia.tif").read_bytes()
    (folder / "breaks.jpg").write_bytes((folder / "breaks.jpg").read_bytes()[:300])
    second = run(tint, output, folder, flags=[*flags, "--toned=skip", "--format=tiff"])
    assert_whole(output, second)
    assert second["scans/sepia.tif"]["reason"] == "toned" and not (output / "images/scans/sepia.tif").exists()
    assert not (output / first["scans/gray.gif"]["output"]).exists()
    assert second["scans/breaks.jpg"]["status"] == "failed" and (output / first["scans/breaks.jpg"]["output"]).exists()
    # The coloured second page keeps the copy of the file, though the toned first page no longer names it.
    assert {second[f"scans/pages{i}.tif#page=0001"]["reason"] for i in range(4)} == {"toned"}
    assert all((output / f"images/scans/pages{i}.tif").exists() for i in range(4))


def test_a_lost_file_beside_a_copy_is_made_again(tint, gray, tmp_path):
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:source>'
        + b"a" * 70_000 + b"</dc:source></rdf:Description></rdf:RDF></x:xmpmeta>"
    )  # fmt: skip
    (tmp_path / "scans").mkdir()
    gray.save(tmp_path / "scans" / "a.tif", tiffinfo={700: xmp})
    found = run(tint, tmp_path / "out", tmp_path / "scans", flags=["--format=jpeg"])
    (sidecar,) = found["scans/a.tif"]["sidecars"]
    (tmp_path / "out" / sidecar).unlink()
    assert_whole(tmp_path / "out", run(tint, tmp_path / "out", tmp_path / "scans", flags=["--format=jpeg"]))


def test_the_network_sees_white_behind_transparent_pixels(gray, tmp_path):
    opacity = Image.fromarray(np.repeat(np.uint8([[0] * 60 + [255] * 60]), 80, axis=0))
    Image.merge("LA", [Image.new("L", (120, 80), 0), opacity]).save(tmp_path / "a.png")
    scan = scans.read(Source("a.png", "a.png"), (tmp_path / "a.png").read_bytes(), 64, 2, Decoder(10**6))
    row = scan.lightness[scan.size[0] // 2, : scan.size[1]]
    assert row[: len(row) // 2 - 2].min() == 100 and row[len(row) // 2 + 2 :].max() == 0


def test_rows_that_failed_are_left_alone_if_told_so(tint, gray, tmp_path):
    (tmp_path / "scans").mkdir()
    gray.save(tmp_path / "scans" / "a.jpg")
    (tmp_path / "scans" / "a.jpg").write_bytes((tmp_path / "scans" / "a.jpg").read_bytes()[:300])
    before = run(tint, tmp_path / "out", tmp_path / "scans")
    after = run(tint, tmp_path / "out", tmp_path / "scans", flags=["--retry=none", "--image_timeout=1"])
    assert before == after and len(after["scans/a.jpg"]["source_sha256"]) == 64


def test_a_bag_says_that_kept_tones_are_no_models_work(tint, gray, photographs, tmp_path):
    (tmp_path / "scans").mkdir()
    sepia(gray).save(tmp_path / "scans" / "sepia.tif")
    colour = Image.fromarray(photographs["coffee"]).resize((120, 80))
    colour.save(tmp_path / "scans" / "two.tif", save_all=True, append_images=[colour])
    flags = ["--toned=keep", "--pages=all", "--color_inputs=copy"]
    run(tint, tmp_path / "out", tmp_path / "scans", flags=flags)
    bag.run([str(tmp_path / "out"), f"--output={tmp_path / 'bag'}"]).validate()
    events = next((tmp_path / "bag" / "metadata").glob("premis-*.xml")).read_text()
    assert "copied unchanged: it is toned" in events and "colorization" not in events
    assert "role>model<" not in events


@pytest.mark.parametrize("pattern", ["in/**", "in/**/*.jpg"])
def test_an_output_that_a_pattern_would_find_again_is_refused(tint, gray, tmp_path, pattern):
    (tmp_path / "in").mkdir()
    gray.save(tmp_path / "in" / "a.jpg")
    with pytest.raises(errors.UsageError, match=r"--output .* lies inside --input"):
        run(tint, tmp_path / "in" / "out", f"{tmp_path}/{pattern}")
