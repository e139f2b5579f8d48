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


def test_file_spelled_twice_is_one_place(scans):
    (scans.parent / "list.txt").write_text("scans/b.jpg\n./scans//b.jpg\nscans/./b.jpg\n")
    (parsed,) = inputs.parse([str(scans.parent / "list.txt")])
    assert {one.source.path for one in inputs.list_files(parsed)} == {str(scans / "b.jpg")}


def test_missing_member_beside_whole_archive_is_reported(scans):
    (scans.parent / "list.txt").write_text("scans/roll.zip\nscans/roll.zip!p/9.jpg\n")
    assert "scans/roll.zip!p/9.jpg: not_found" in keys_of(scans.parent / "list.txt")


@pytest.mark.parametrize("row", [f"{os.sep}etc{os.sep}hostname", "../../../../../../../../etc/hostname"])
def test_outside_manifest_row_has_safe_key(scans, row):
    (scans.parent / "list.txt").write_text(row)
    (key,) = keys_of(scans.parent / "list.txt")
    assert key == "etc/hostname"


def test_bad_row_of_manifest_fails_alone(scans):
    (scans.parent / "list.txt").write_text("scans/b.jpg\nhttps://example.org/x.jpg\nscans/roll.zip!p/2.jpg\n")
    assert keys_of(scans.parent / "list.txt") == [
        "scans/b.jpg", "list.txt#line=2: bad_row", "scans/roll.zip!p/2.jpg"
    ]  # fmt: skip
    (parsed,) = inputs.parse([str(scans.parent / "list.txt")])
    failure = next(one.source.failure for one in inputs.list_files(parsed) if one.source.failure)
    assert "list.txt, line 2: paths with https:// are not supported" in failure.message


def test_manifest_names_members_normalized(scans):
    with zipfile.ZipFile(scans / "dots.zip", "w") as archive:
        archive.writestr("./p//1.jpg", b"x")
        archive.writestr(".hidden/2.jpg", b"x")
    (scans.parent / "list.txt").write_text("scans/dots.zip!./p/1.jpg\nscans/dots.zip!.hidden/2.jpg\n")
    found = ["scans/dots.zip!p/1.jpg", "scans/dots.zip!.hidden/2.jpg"]  # named, so not left alone
    assert keys_of(scans.parent / "list.txt") == found


def test_members_of_broken_archive_state_that_it_is(scans):
    (scans / "broken.zip").write_bytes(b"no zip")
    (scans.parent / "list.txt").write_text("scans/broken.zip!1.jpg\n")
    assert keys_of(scans.parent / "list.txt") == ["scans/broken.zip!1.jpg: broken_archive"]


def test_members_named_in_manifest_are_looked_up_in_parts(scans, monkeypatch):
    monkeypatch.setattr(inputs, "_MEMBERS_AT_ONCE", 2)
    members = [f"scans/roll.zip!p/{number}.jpg" for number in (1, 9, 2)]
    (scans.parent / "list.txt").write_text("\n".join(members))
    (parsed,) = inputs.parse([str(scans.parent / "list.txt")])
    assert [one.wanted for one in inputs.list_files(parsed)] == [("p/1.jpg", "p/9.jpg"), ("p/2.jpg",)]


def test_csv_without_source_column_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("id,path\n1,x\n")
    with pytest.raises(errors.UsageError, match="none of them is 'source'"):
        keys_of(tmp_path / "a.csv")


def test_unsafe_name_is_not_taken_for_hidden(scans):
    with zipfile.ZipFile(scans / "roll.zip", "a") as archive:
        archive.writestr("../../a.jpg", b"x")
    assert "scans/roll.zip!../../a.jpg: unsafe_name" in keys_of(scans)


HIDDEN = (".a.jpg", ".git/b.jpg", "Thumbs.db", "sub/desktop.ini", ".DS_Store", "__MACOSX/._a.jpg", "@eaDir/a.jpg")


@pytest.mark.parametrize("where", ["folder", "zip"])
def test_hidden_and_system_files_are_left_alone(tmp_path, where):
    folder = tmp_path / ".scans"  # the input's own name does not count
    folder.mkdir()
    for name in (*HIDDEN, "a.jpg"):
        if where == "zip":
            with zipfile.ZipFile(folder / "box.zip", "a") as archive:
                archive.writestr(name, b"x")
        else:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(b"x")
    found = dict(key.partition(": ")[::2] for key in keys_of(folder))
    start = ".scans/box.zip!" if where == "zip" else ".scans/"
    assert found.pop(f"{start}a.jpg") == ""
    assert len(found) == len(HIDDEN) and set(found.values()) == {"hidden", "system_file"} <= errors.IGNORED


def test_hidden_file_is_read_where_it_is_meant(tmp_path):
    (tmp_path / ".a.jpg").write_bytes(b"x")
    (tmp_path / "list.txt").write_text(".a.jpg")
    assert keys_of(tmp_path / ".a.jpg") == keys_of(tmp_path / ".*.jpg") == keys_of(tmp_path / "list.txt") == [".a.jpg"]


@pytest.mark.parametrize("name", ["a.rar", "a.7z", "a.tar.zst", "a.tlz", "scan.tif.gz", "A.CBZ"])
def test_archive_that_is_not_read_is_a_failure(scans, name):
    (scans / name).write_bytes(b"x")
    with zipfile.ZipFile(scans / "roll.zip", "a") as archive:
        archive.writestr(name, b"x")
        archive.writestr("in.zip", b"x")
    failed = [
        f"{key}: unsupported_format" for key in (f"scans/{name}", f"scans/roll.zip!{name}", "scans/roll.zip!in.zip")
    ]
    assert set(keys_of(scans)) == {*ALL, *failed}


@pytest.mark.parametrize("name", ["a.jpg", "a.zip", "a.csv"])
def test_pipe_as_input_is_refused(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(errors.UsageError, match="is a pipe, a socket or a device; expected a regular file"):
        keys_of(tmp_path / name)


def test_pipes_in_folder_fail_alone(scans):
    os.mkfifo(scans / "pipe.zip")
    assert "scans/pipe.zip: not_a_file" in keys_of(scans)


def test_links_are_followed_but_not_to_output(scans):
    (scans / "out").symlink_to(scans.parent / "coloured")
    (scans / "more").symlink_to(scans.parent / "other")
    for name in ("coloured", "other"):
        (scans.parent / name).mkdir()
        (scans.parent / name / "1.jpg").write_bytes(b"x")
    parsed = inputs.check_output_apart(inputs.parse([str(scans)]), str(scans.parent / "coloured"))
    found = {one.source.key: one.source.failure for parsed_one in parsed for one in inputs.list_files(parsed_one)}
    assert found["scans/more/1.jpg"] is None and "leads to the output folder" in found["scans/out"].message
    assert "scans/out/1.jpg" not in found


ODD = "s [1]*?%{x}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ODD, [f"{ODD}/a [2]%s.jpg", f"{ODD}/box [1].zip!p [1].jpg"]),
        (f"{ODD}/a [2]%s.jpg", ["a [2]%s.jpg"]),
        (f"{ODD}/box [1].zip", ["box [1].zip!p [1].jpg"]),
        (f"{ODD}/*.jpg", ["a [2]%s.jpg"]),
        (f"{ODD}/**/*.jpg", ["a [2]%s.jpg"]),
        ("list [1].txt", [f"{ODD}/a [2]%s.jpg", f"{ODD}/box [1].zip!p [1].jpg"]),
    ],
)
def test_wildcards_in_names_are_plain_characters(tmp_path, text, expected):
    (tmp_path / ODD).mkdir()
    (tmp_path / ODD / "a [2]%s.jpg").write_bytes(b"x")
    with zipfile.ZipFile(tmp_path / ODD / "box [1].zip", "w") as archive:
        archive.writestr("p [1].jpg", b"x")
    (tmp_path / "list [1].txt").write_text(f"{ODD}/a [2]%s.jpg\n{ODD}/box [1].zip!p [1].jpg\n")
    assert keys_of(tmp_path / text) == expected


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
