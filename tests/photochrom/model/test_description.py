import json

import pytest

from photochrom.model import description

COLORIZER = {"digest": "sha256:" + "0" * 64, "name": "tint", "image_size": 256, "ab_stride": 4}
FEATURES = {"digest": COLORIZER["digest"], "backbone": "EfficientNetLite0", "weights_digest": COLORIZER["digest"]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"\xff\xfe", "codec can't decode"),
        (b'{"image_size": NaN}', "NaN is no number of JSON"),
        (b'{"image_size": -Infinity}', "-Infinity is no number"),
        (b"[" * 17 + b"]" * 17, "nested too deep"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deep"),
        (b" " * (description.MAX_BYTES + 1), "more than 1048576 bytes"),
        (b"1" * 5000, "Exceeds the limit"),
    ],
)
def test_parse_refuses_what_is_no_small_json(data, message):
    with pytest.raises(ValueError, match=message):
        description.parse(data)


def test_parse_returns_plain_values():
    assert description.parse(b'{"a": [1, {"b": null}]}') == {"a": [1, {"b": None}]}


@pytest.mark.parametrize(("info", "kind"), [(COLORIZER, description.COLORIZER), (FEATURES, description.FEATURES)])
def test_check_requires_the_names_of_the_kind(info, kind):
    description.check({**info, "of a later version": [1]}, kind)
    for name in info:
        with pytest.raises(ValueError, match=f"^{name} is missing$"):
            description.check({key: value for key, value in info.items() if key != name}, kind)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("image_size", 10**9, "a multiple of 32 px, at most 4096"),
        ("image_size", 0, "a multiple of 32 px, at most 4096"),
        ("image_size", 100, "a multiple of 32 px, at most 4096"),
        ("image_size", 256.0, "a multiple of 32 px, at most 4096"),
        ("image_size", "256", "a multiple of 32 px, at most 4096"),
        ("image_size", None, "a multiple of 32 px, at most 4096"),
        ("image_size", True, "a multiple of 32 px, at most 4096"),
        ("ab_stride", 0, r"one of \(1, 2, 4, 8, 16\)"),
        ("ab_stride", -2, r"one of \(1, 2, 4, 8, 16\)"),
        ("ab_stride", 3, r"one of \(1, 2, 4, 8, 16\)"),
        ("ab_stride", True, r"one of \(1, 2, 4, 8, 16\)"),
        ("ab_stride", [2], r"one of \(1, 2, 4, 8, 16\)"),
        ("digest", "sha256:0", "sha256: and 64 hex digits"),
        ("digest", 1, "sha256: and 64 hex digits"),
        ("name", "", "printable text of 1 to 200 characters"),
        ("name", "a\x1b[31m", "printable text of 1 to 200 characters"),
        ("name", "n" * 201, "printable text of 1 to 200 characters"),
        ("metrics", {"loss": float("nan")}, "names with numbers"),
        ("metrics", {"loss": "1"}, "names with numbers"),
        ("metrics", [1.0], "names with numbers"),
        ("settings", {"width": [[8]]}, "names with numbers, texts, truth values or lists of them"),
        ("licences", {"code": 1}, "names with texts"),
        ("backbone_weights", {"source": None}, "a text, or names with texts"),
        ("steps", -1, "a whole number"),
        ("steps", 1 << 63, "a whole number"),
    ],
)
def test_check_names_value_and_expectation(name, value, expected):
    shown = json.dumps(value)
    with pytest.raises(ValueError, match=rf"^{name} is .*, expected {expected}$") as refused:
        description.check({**COLORIZER, name: value}, description.COLORIZER)
    assert shown[:60] in str(refused.value)


def test_check_names_all_misfits():
    with pytest.raises(ValueError, match=r"^name is missing; image_size is 1, expected .*; ab_stride is 0, expected"):
        description.check({"digest": COLORIZER["digest"], "image_size": 1, "ab_stride": 0}, description.COLORIZER)
