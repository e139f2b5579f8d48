import json
import os
import zipfile

import pytest

from photochrom import errors
from photochrom.sources import inputs


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    (folder / "box").mkdir(parents=True)
    for name in ("b.jpg", "a.jpg", "box/1.tif"):
        (folder / name).write_bytes(name.encode())
    with zipfile.ZipFile(folder / "roll.zip", "w") as archive:
        archive.writestr("p/1.jpg", b"x")
        archive.writestr("p/2.jpg", b"y")
    return folder


def keys_of(*texts, spool="/nowhere"):
    listed = [listed for one in inputs.parse(map(str, texts)) for listed in inputs.list_files(one)]
    return [source.key if source.failure is None else f"{source.key}: {source.failure.reason}"
            for one in listed for source in inputs.expand(one, spool)]  # fmt: skip


ALL = ["scans/a.jpg", "scans/b.jpg", "scans/roll.zip!p/1.jpg", "scans/roll.zip!p/2.jpg", "scans/box/1.tif"]


def test_folder_keys_are_as_by_cp(scans):
    assert keys_of(scans) == keys_of(f"{scans}/") == ALL


def test_glob_keys_start_at_fixed_part(scans):
    assert keys_of(scans / "*.jpg") == ["a.jpg", "b.jpg"]
    assert keys_of(scans.parent / "*" / "**" / "*.tif") == ["scans/box/1.tif"]


def test_file_and_archive_are_inputs(scans):
    assert keys_of(scans / "a.jpg", scans / "roll.zip") == ["a.jpg", "roll.zip!p/1.jpg", "roll.zip!p/2.jpg"]


def test_repeated_input_counts_once(scans):
    assert keys_of(scans, scans) == ALL


def test_inputs_sharing_keys_are_refused(scans, tmp_path):
    (tmp_path / "other/scans").mkdir(parents=True)
    (tmp_path / "other/scans/a.jpg").write_bytes(b"another")
    with pytest.raises(errors.UsageError, match="would both have keys that begin with 'scans'"):
        keys_of(scans, tmp_path / "other/scans")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.txt", "scans/b.jpg\n\nscans/roll.zip!p/2.jpg\n"),
        ("list.csv", "scans/b.jpg\nscans/roll.zip!p/2.jpg\n"),
        ("titled.csv", 'id,source\n1,scans/b.jpg\n2,"scans/roll.zip!p/2.jpg"\n'),
        ("list.jsonl", '{"source": "scans/b.jpg"}\n{"source": "scans/roll.zip!p/2.jpg", "year": 1903}\n'),
        ("bom.txt", "\ufeffscans/b.jpg\r\nscans/roll.zip!p/2.jpg"),
    ],
)
def test_manifest_names_files_and_members(scans, name, text):
    (scans.parent / name).write_text(text)
    assert keys_of(scans.parent / name) == ["scans/b.jpg", "scans/roll.zip!p/2.jpg"]


def test_missing_manifest_entry_is_its_own_failure(scans):
    (scans.parent / "list.txt").write_text("scans/roll.zip!p/9.jpg\nscans/roll.zip!p/1.jpg\n")
    assert keys_of(scans.parent / "list.txt") == ["scans/roll.zip!p/1.jpg", "scans/roll.zip!p/9.jpg: not_found"]


@pytest.mark.parametrize("row", [f"{os.sep}etc{os.sep}hostname", "../../../../../../../../etc/hostname"])
def test_outside_manifest_row_has_safe_key(scans, row):
    (scans.parent / "list.txt").write_text(row)
    (key,) = keys_of(scans.parent / "list.txt")
    assert key == "etc/hostname"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", "{broken", "manifest .*a.jsonl is broken: JSONDecodeError"),
        ("a.jsonl", json.dumps({"path": "x"}), "KeyError: 'source'"),
        ("a.jsonl", "[1]", "TypeError"),
        ("a.csv", "id,path\n1,x\n", "none of them is 'source'"),
    ],
)
def test_broken_manifest_states_expectation(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(errors.UsageError, match=message):
        keys_of(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "message"),
    [("none", "does not exist; expected a folder"), ("*.none", "matches no file; check the path"),
     ("empty", "matches no file"), ("none.csv", "does not exist")],
)  # fmt: skip
def test_empty_input_is_refused(tmp_path, text, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.UsageError, match=message):
        keys_of(tmp_path / text)


def test_file_named_like_pattern_is_file(tmp_path):
    (tmp_path / "a[1].jpg").write_bytes(b"x")
    assert keys_of(tmp_path / "a[1].jpg") == ["a[1].jpg"]


def test_undecodable_names_have_printable_keys(tmp_path):
    (tmp_path / "in").mkdir()
    with open(os.fsencode(tmp_path / "in") + b"/caf\xe9\n.jpg", "wb"):
        pass
    assert keys_of(tmp_path / "in") == ["in/caf\\udce9\\x0a.jpg"]


@pytest.mark.parametrize(
    ("output", "refused"), [("scans/out", True), (".", True), ("out", False), ("scans-out", False)]
)
def test_output_within_input_is_refused(scans, output, refused):
    parsed = inputs.parse([str(scans)])
    if refused:
        with pytest.raises(errors.UsageError, match="is inside"):
            inputs.check_output_apart(parsed, str(scans.parent / output))
    else:
        inputs.check_output_apart(parsed, str(scans.parent / output))


def test_linked_output_within_input_is_refused(scans, tmp_path):
    (tmp_path / "link").symlink_to(scans / "box")
    with pytest.raises(errors.UsageError, match="is inside"):
        inputs.check_output_apart(inputs.parse([str(scans)]), str(tmp_path / "link"))
