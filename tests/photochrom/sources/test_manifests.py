import codecs
import json
import tracemalloc

import pytest

from photochrom import errors
from photochrom.sources import manifests


def read(tmp_path, name: str, content: str | bytes) -> list[tuple[int, str]]:
    """Returns the number of each row with its source, or with `!` and its problem."""
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))
    manifests.check(str(path))
    return [(row.line, f"!{row.problem}" if row.problem else row.source) for row in manifests.read(str(path))]


CSV = 'source;title\r\na.jpg;"One;\r\ntwo"\r\n\r\n"b;c.jpg";Two\r\n'


@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_csv_is_read_in_every_usual_form(tmp_path, separator, encoding):
    text = CSV.replace(";", separator)
    expected = [(2, "a.jpg"), (5, f"b{separator}c.jpg")]
    found = [source for _, source in read(tmp_path, "a.csv", text.encode(encoding))]
    assert found == [source for _, source in expected]


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_utf16_lines_are_read_by_their_mark(tmp_path, mark):
    encoding = "utf-16-le" if mark == codecs.BOM_UTF16_LE else "utf-16-be"
    assert read(tmp_path, "a.TXT", mark + "ü.jpg\r\nb.jpg\r\n".encode(encoding)) == [(1, "ü.jpg"), (2, "b.jpg")]


def test_bytes_that_are_no_utf8_name_files(tmp_path):
    assert read(tmp_path, "a.txt", b"caf\xe9.jpg\n") == [(1, "caf\udce9.jpg")]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("https://example.org/a.jpg", "paths with https:// are not supported; expected gs://"),
        ("a\0.jpg", "has a NUL"),
        ("x" * 70_000, "longer than 65536 characters"),
    ],
    ids=["scheme", "nul", "long"],
)
def test_bad_line_costs_itself_alone(tmp_path, row, problem):
    found = read(tmp_path, "a.txt", f"1.jpg\n{row}\n\n2.jpg\n")
    assert [found[0], found[2]] == [(1, "1.jpg"), (4, "2.jpg")]
    assert found[1][0] == 2 and problem in found[1][1]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("{broken", "no JSON"),
        ("[" * 50_000, "nested too deep"),
        ("[1]", "field 'source', a text"),
        ("7", "field 'source', a text"),
        ("null", "field 'source', a text"),
        (json.dumps({"path": "x"}), "field 'source', a text"),
        (json.dumps({"source": None}), "field 'source', a text"),
        (json.dumps({"source": ""}), "names no source"),
        (json.dumps({"source": "a\ud800"}), "lone surrogate"),
        (json.dumps({"source": "gs://b/a\udce9"}), "lone surrogate"),
        (json.dumps({"source": "a\0"}), "NUL"),
        ('{"source": "' + "x" * 70_000 + '"}', "longer than a row may be"),
        ("1" * 5000, "no JSON"),
    ],
    ids=range(13),
)
def test_bad_json_line_costs_itself_alone(tmp_path, row, problem):
    one = json.dumps({"source": "1.jpg"})
    found = read(tmp_path, "a.jsonl", f"{one}\n{row}\n{one}")
    assert [found[0], found[2]] == [(1, "1.jpg"), (3, "1.jpg")]
    assert found[1][0] == 2 and problem in found[1][1]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("one", "it has 1 columns, 'source' is column 2"),
        ("one,", "names no source"),
        ('one,"not closed', "quotes are not closed"),
        ("one," + "x" * 70_000, "longer than a row may be"),
    ],
    ids=["short", "empty", "quotes", "long"],
)
def test_bad_csv_row_costs_itself_alone(tmp_path, row, problem):
    found = read(tmp_path, "a.csv", f"id,Source\n1,1.jpg\n{row}\n2,2.jpg\n3,3.jpg\n")
    assert [found[0], *found[2:]] == [(2, "1.jpg"), (4, "2.jpg"), (5, "3.jpg")]
    assert found[1][0] == 3 and problem in found[1][1]


def test_csv_of_one_column_needs_no_header(tmp_path):
    assert read(tmp_path, "a.csv", 'a.jpg\n"b;c.jpg"\n') == [(1, "a.jpg"), (2, "b;c.jpg")]


@pytest.mark.parametrize("header", ["id,path", "id;path", "id\tpath"])
def test_csv_without_source_names_separators(tmp_path, header):
    with pytest.raises(errors.UsageError, match=r"none of them is 'source'; .* a comma, a semicolon or a tab"):
        read(tmp_path, "a.csv", f"{header}\n1,x\n")


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl"])
@pytest.mark.parametrize(
    "content", [b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8, b"PK\3\4" + bytes(400)], ids=["jpeg", "zip"]
)
def test_binary_file_is_no_manifest(tmp_path, name, content):
    with pytest.raises(errors.UsageError, match="is no text; expected one source a row"):
        read(tmp_path, name, content)


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl"])
def test_memory_does_not_grow_with_rows(tmp_path, name):
    row = '{"source": "folder/1.jpg"}\n' if name.endswith("jsonl") else "folder/1.jpg\n"
    (tmp_path / name).write_text(row * 20_000 + "x" * 5_000_000)
    tracemalloc.start()
    count = sum(1 for _ in manifests.read(str(tmp_path / name)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_001 and peak < 2_000_000


@pytest.mark.parametrize("header", ["source|title", "id:source", '"id"^"source"', "source title"])
def test_other_separators_are_refused(tmp_path, header):
    with pytest.raises(errors.UsageError, match="a comma, a semicolon or a tab"):
        read(tmp_path, "a.csv", f"{header}\n1\n")


@pytest.mark.parametrize("first", ["source/a b.jpg", "box:source.jpg", "sources"])
def test_first_row_that_is_a_path_is_one(tmp_path, first):
    assert read(tmp_path, "a.csv", f"{first}\nb.jpg\n") == [(1, first), (2, "b.jpg")]


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;"])
def test_separator_line_of_excel_is_left_out(tmp_path, line):
    assert read(tmp_path, "a.csv", f"{line}\r\nid;source\r\n1;a.jpg\r\n") == [(3, "a.jpg")]


@pytest.mark.parametrize("source", ["/", ".", "..", "gs://", "s3:///", "../.."])
def test_line_that_names_no_file_is_bad(tmp_path, source):
    assert read(tmp_path, "a.txt", f"{source}\na.jpg\n") == [(1, "!it names no source"), (2, "a.jpg")]


def test_json_text_is_taken_as_it_stands(tmp_path):
    assert read(tmp_path, "a.jsonl", '{"source": " a.jpg\\u00a0"}\n') == [(1, " a.jpg\u00a0")]
