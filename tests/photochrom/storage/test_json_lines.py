import pytest

from photochrom.storage import json_lines


def test_same_rows_give_same_lines(tmp_path):
    data = json_lines.encode([{"b": "ü", "a": 1}])
    assert data == '{"a": 1, "b": "ü"}\n'.encode()
    (tmp_path / "x.jsonl").write_bytes(data * 2)
    assert list(json_lines.read(str(tmp_path / "x.jsonl"))) == [{"a": 1, "b": "ü"}] * 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[" * 100_000, "nested too deep"),
        (b"{", "Expecting property name"),
        (b'"\xff"', "no UTF-8"),
        (b'"' + b"a" * json_lines.MAX_LINE_BYTES + b'"\n', "a line is longer than 16777216 bytes"),
    ],
    ids=["deep", "cut", "bytes", "long"],
)
def test_invalid_row_is_a_value_error(tmp_path, data, words):
    (tmp_path / "x.jsonl").write_bytes(b"{}\n" + data)
    rows = json_lines.read(str(tmp_path / "x.jsonl"))
    assert next(rows) == {}
    with pytest.raises(ValueError, match=words):
        next(rows)
