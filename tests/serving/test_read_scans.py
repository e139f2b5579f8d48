"""The steps of the first half on single elements: decisions by the listing and by the bytes."""

import dataclasses
import hashlib
import io

import numpy as np
import pytest
from apache_beam.pvalue import TaggedOutput
from PIL import Image

from photochrom import errors
from photochrom.model import bundle
from photochrom.sources import keys
from photochrom.sources.source import Source
from serving import naming, read_scans
from serving.config import ColorizeConfig
from serving.manifest import reader
from serving.manifest.rows import Begun, MadeWith, Outcome, Row
from serving.read_scans import Unread
from serving.resume import identity
from serving.resume.decide import Earlier
from serving.scans import Candidate
from serving.screening import exclusion

KEY = "s/a.png"
SOURCE = Source(KEY, "/in/s/a.png", size=7, version="mtime:1000000000")


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


GRAY = png(np.random.default_rng(0).integers(40, 200, (80, 60)).astype(np.uint8))
BLANK = png(np.full((80, 60), 128, np.uint8))


@pytest.fixture
def step(tint, tmp_path):
    """Makes a step: of the listing, or of the reading."""

    def make(kind, *excluded: str, **flags):
        (tmp_path / "list").write_text("\n".join(excluded))
        config = ColorizeConfig(input=("in",), output=str(tmp_path / "out"), model=tint, **flags)
        settings = config, bundle.open_bundle(tint), exclusion.open_list(str(tmp_path / "list") if excluded else "")
        return kind(*settings, "2026-11-30") if kind is read_scans.ReadScan else kind(*settings)

    return make


def row(step, data: bytes = GRAY, source: Source = SOURCE, **values) -> Row:
    """Returns the row of a copy that the step's model and settings made."""
    made_with = identity.made_with(hashlib.sha256(data).hexdigest(), step._config, step._bundle)
    return Row.of(source, made_with, **values)


def listed(step, sources=(SOURCE,), finished=(), pending=(), missing=(), key: str = KEY) -> list:
    groups = {"sources": sources, "finished": finished, "pending": pending, "missing": missing}
    return list(step.process((naming.group(key), groups)))


def unread(source: Source = SOURCE, earlier: Earlier | None = None) -> Unread:
    path, path_of_file = (f"images/{name}" for name in (source.key, keys.of_file(source.key)))
    return Unread(source, earlier or Earlier(), path, path_of_file if source.page_count > 1 else path)


def read(step, data: bytes = GRAY, earlier: Earlier | None = None, source: Source = SOURCE):
    return step._process_source(unread(source, earlier), lambda: data)


def only(found, tag: str):
    """Returns the value of the one element, which has this tag."""
    [element] = found if isinstance(found, list) else [found]
    assert isinstance(element, TaggedOutput) and element.tag == tag
    return element.value


def test_new_input_is_read(step):
    assert listed(step(read_scans.ResolveFromListing)) == [unread()]


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        (b"\0\5\x16\7" + bytes(80), "skipped", "system_file"),  # AppleDouble
        (b"Rar!\x1a\7\1\0", "failed", "unsupported_format"),
        (b"no image", "failed", "not_an_image"),
    ],
)
def test_content_that_is_no_image_is_named(step, data, status, reason):
    found = only(read(step(read_scans.ReadScan), data), read_scans.NEW).row
    assert (found.status, found.reason, found.source_sha256) == (status, reason, hashlib.sha256(data).hexdigest())


def test_hidden_file_is_skipped_not_failed(step):
    source = Source.failed(KEY, "/in/s/a.png", errors.Ignored("hidden"))
    found = only(listed(step(read_scans.ResolveFromListing), [source]), read_scans.NEW).row
    assert (found.status, found.reason, found.stage) == ("skipped", "hidden", "list")


def test_unchanged_input_is_kept_unread(step):
    resolve = step(read_scans.ResolveFromListing)
    old = row(resolve)
    assert only(listed(resolve, finished=[old]), read_scans.KEPT) == Outcome(old)


@pytest.mark.parametrize(
    "flags", [{"saturation": 1.5}, {"format": "tiff"}, {"retry": "all"}, {"toned": "keep"}, {"unsuitable": "colorize"}]
)
def test_other_settings_are_read_again(step, flags):
    old = row(step(read_scans.ResolveFromListing))
    changed = step(read_scans.ResolveFromListing, **flags)
    assert listed(changed, finished=[old]) == [unread(earlier=Earlier((old,)))]
    assert isinstance(read(step(read_scans.ReadScan, **flags), earlier=Earlier((old,))), Candidate)


@pytest.mark.parametrize(("output", "is_kept"), [("s/a.png", True), ("s/a.png.coloured.tif", True), ("s/A.png", False)])
def test_copy_under_another_name_is_made_again(step, output, is_kept):
    resolve = step(read_scans.ResolveFromListing)
    [found] = listed(resolve, finished=[row(resolve, output=f"images/{output}", output_sha256="a")])
    assert isinstance(found, TaggedOutput) is is_kept


def test_keys_that_differ_in_case_have_two_paths(step):
    resolve, other = step(read_scans.ResolveFromListing), dataclasses.replace(SOURCE, key="s/A.png")
    paths = [one.path for one in listed(resolve, [SOURCE, other])]
    assert len({path.lower() for path in paths}) == 2 and all("~" in path for path in paths)
    # One that is delisted keeps its copy, and its claim.
    old = row(resolve, source=other, output="images/s/A.png", output_sha256="a")
    delisted, made = listed(resolve, [SOURCE], [old])
    assert delisted.tag == read_scans.DELISTED and made.path == paths[1]
    [made] = listed(resolve, [SOURCE], [old], missing=["images/s/A.png"])
    assert made.path == "images/s/a.png"


def test_other_model_is_read_again(step, strong_tint):
    resolve, change = step(read_scans.ResolveFromListing), step(read_scans.ReadScan)
    old = row(resolve)
    for one in (resolve, change):
        one._bundle = bundle.open_bundle(strong_tint)
    assert listed(resolve, finished=[old]) == [unread(earlier=Earlier((old,)))]
    assert isinstance(read(change, earlier=Earlier((old,))), Candidate)


def test_touched_file_is_read_and_kept(step):
    old = row(step(read_scans.ResolveFromListing), output="images/s/a.png", output_sha256="a")
    touched = Source(KEY, SOURCE.path, size=7, version="mtime:2000000000")
    assert listed(step(read_scans.ResolveFromListing), [touched], [old]) == [unread(touched, Earlier((old,)))]
    kept = only(read(step(read_scans.ReadScan), earlier=Earlier((old,)), source=touched), read_scans.KEPT)
    assert kept.row.source_version == "mtime:2000000000" and kept.row.output == "images/s/a.png"


def test_changed_file_becomes_a_candidate_with_its_row(step):
    reads = step(read_scans.ReadScan)
    old = row(reads, b"before", output="images/x.tif", output_sha256="a", date="2001-01-01")
    found = read(reads, earlier=Earlier((old,)))
    assert found.earlier_paths == {"images/x.tif"} and found.scan.source == SOURCE
    assert found.row == row(reads, kind="gray", date="2026-11-30")
    again = read(reads, earlier=Earlier((row(reads, date="2001-01-01", output="images/x"),), (), {"images/x"}))
    assert again.row.date == "2001-01-01"


def test_two_files_with_one_key_fail(step):
    places = [Source("1.jpg", "/x/1.jpg"), Source("1.jpg", "/y/1.jpg")]
    found = only(listed(step(read_scans.ResolveFromListing), places, key="1.jpg"), read_scans.NEW).row
    assert (found.status, found.stage, found.reason) == ("failed", "list", "duplicate_key")
    assert "2 inputs have this key, in /x/1.jpg, /y/1.jpg" in found.message


def test_one_file_listed_twice_is_one_input(step):
    assert listed(step(read_scans.ResolveFromListing), [SOURCE, SOURCE]) == [unread()]


def test_delisted_input_keeps_its_row_and_copy(step):
    resolve = step(read_scans.ResolveFromListing)
    old = row(resolve, output="images/s/a.png", output_sha256="a")
    assert only(listed(resolve, [], [old]), read_scans.DELISTED) == old
    assert listed(resolve, [], [old], missing=["images/s/a.png"]) == []


def test_excluded_input_loses_its_copy_unread(step):
    resolve = step(read_scans.ResolveFromListing, "s/")
    old = row(resolve, output="images/s/a.png", output_sha256="a")
    outcome = only(listed(resolve, finished=[old]), read_scans.NEW)
    assert (outcome.row.status, outcome.row.reason, outcome.row.stage, outcome.row.output) == (
        "skipped", "excluded", "list", "",
    )  # fmt: skip
    assert outcome.row.notes == ("the copy that an earlier run made, images/s/a.png, was deleted",)
    assert outcome.obsolete == ("images/s/a.png",)
    again = only(listed(resolve, finished=[outcome.row]), read_scans.NEW)
    assert again.row.notes == outcome.row.notes
    assert only(listed(resolve, [], [old]), read_scans.OBSOLETE) == "images/s/a.png"


def test_excluded_input_without_row_loses_possible_copies(step):
    resolve = step(read_scans.ResolveFromListing, "s/")
    failed = row(resolve).skipped("x", "x", "x")
    for finished in ([], [Row.of(SOURCE, status="failed")]):
        obsolete = only(listed(resolve, finished=finished), read_scans.NEW).obsolete
        assert {"images/s/a.png", "images/s/a.png.coloured.tif", "images/s/a.png.coloured.tif.xmp"} <= set(obsolete)
    assert only(listed(resolve, finished=[failed]), read_scans.NEW).obsolete == ()


def test_excluded_member_with_an_unsafe_name_deletes_nothing(step):
    resolve = step(read_scans.ResolveFromListing, "*victim*")
    key = "box.zip!../../../victim.jpg"
    obsolete = only(listed(resolve, [Source(key, "/in/box.zip")], key=key), read_scans.NEW).obsolete
    assert all(path.startswith("images/box.zip/..~/..~/..~/victim.jpg") for path in obsolete)


def test_file_with_an_excluded_page_is_not_copied(step):
    reads = step(read_scans.ReadScan, "s/a.tif#page=0002", color_inputs="copy")
    pages = [Image.fromarray(np.random.default_rng(i).integers(0, 255, (40, 60, 3), np.uint8)) for i in range(2)]
    buffer = io.BytesIO()
    pages[0].resize((600, 400)).save(buffer, "TIFF", save_all=True, append_images=pages[1:])
    page = Source("s/a.tif#page=0001", "/in/s/a.tif", size=9, version="v", page_count=2)
    old = row(reads, buffer.getvalue(), page, reason="copied", output="images/s/a.tif", output_sha256="a")
    outcome = only(read(reads, buffer.getvalue(), Earlier((old,)), page), read_scans.NEW)
    assert outcome.row.reason == "excluded" and "other pages" in outcome.row.message
    assert outcome.obsolete == ("images/s/a.tif",)
    resolve = step(read_scans.ResolveFromListing, "s/a.tif#page=0002", color_inputs="copy")
    assert listed(resolve, [page], [old], key=page.key) == [unread(page, Earlier((old,)))]  # not kept
    allowed = step(read_scans.ReadScan, color_inputs="copy")
    assert only(read(allowed, buffer.getvalue(), Earlier((old,)), page), read_scans.KEPT).row == old


def test_whole_file_is_copied_after_a_note(step, tmp_path):
    reads = step(read_scans.ReadScan, color_inputs="copy")
    colour = png(np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8).repeat(8, axis=0).repeat(8, axis=1))
    old = row(reads, b"before", output="images/s/a.png", output_sha256="a")
    outcome = only(read(reads, colour, Earlier((old,))), read_scans.NEW)
    assert (outcome.row.status, outcome.row.reason, outcome.row.output) == ("done", "copied", "images/s/a.png")
    assert (tmp_path / "out/images/s/a.png").read_bytes() == colour and outcome.row.date == ""
    [name] = reader.note_files(str(tmp_path / "out"))
    assert list(reader.read_notes(str(tmp_path / "out"), name)) == [Begun(KEY, "", *outcome.row.made_with)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (GRAY[:100], ("failed", "undecodable", "decode")),
        (b"text", ("failed", "not_an_image", "decode")),
        (BLANK, ("skipped", "blank", "screen")),
    ],
)
def test_row_without_a_copy_has_the_digest(step, data, expected):
    outcome = only(read(step(read_scans.ReadScan), data), read_scans.NEW)
    assert (outcome.row.status, outcome.row.reason, outcome.row.stage) == expected
    assert outcome.row.source_sha256 == hashlib.sha256(data).hexdigest() and outcome.row.model_digest
    kept = only(read(step(read_scans.ReadScan, retry="none"), data, Earlier((outcome.row,))), read_scans.KEPT)
    assert kept.row == outcome.row


def test_file_that_claims_no_image_is_skipped(step):
    notes = Source("s/notes.txt", "/in/s/notes.txt", version="v")
    found = only(read(step(read_scans.ReadScan), b"text", source=notes), read_scans.NEW).row
    assert (found.status, found.reason, found.stage) == ("skipped", "not_an_image", "screen")


def test_file_named_after_an_unread_format_fails(step):
    raw = Source("s/scan.nef", "/in/s/scan.nef", version="v")
    found = only(read(step(read_scans.ReadScan), b"text", source=raw), read_scans.NEW).row
    assert (found.status, found.reason, found.stage) == ("failed", "unsupported_format", "decode")
    assert found.message == "camera raw is not read; develop it to TIFF with a raw developer"


def test_made_with_covers_scan_model_and_settings(step):
    resolve = step(read_scans.ResolveFromListing)
    assert row(resolve).made_with == MadeWith(
        hashlib.sha256(GRAY).hexdigest(), resolve._bundle.digest, resolve._config.output_digest()
    )
