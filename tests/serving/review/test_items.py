import collections
import itertools
import json

import pytest

from photochrom.sources.source import Source
from serving.manifest.rows import FAILED, Row
from serving.review import items
from serving.review.items import OTHERS, PICTURES, Item, Order
from serving.review.layout import Thumbnail
from tests.support.review_site import picture_row


def place_all(rows) -> dict[tuple[str, int], list[Row]]:
    order, found = Order(), collections.defaultdict(list)
    for row in rows:
        order.add(row)
    for row in rows:
        found[order.place(row)].append(row)
    return found


def read(path) -> dict:
    text = path.read_text(encoding="ascii")
    assert text.startswith("photochrom.add(") and text.endswith(");\n")
    return json.loads(text[len("photochrom.add(") : -len(");\n")])


def test_order_puts_least_confident_rows_first():
    found = place_all([picture_row(f"{i}.jpg", (i * 7 % 1000) / 1000) for i in range(5000)])
    assert sorted(found) == [(PICTURES, number) for number in range(3)]
    spans = [sorted(row.confidence for row in found[PICTURES, number]) for number in range(3)]
    assert all(one[-1] <= other[0] for one, other in itertools.pairwise(spans))


def test_order_spreads_rows_of_one_confidence():
    counts = [len(rows) for rows in place_all([picture_row(f"{i}.jpg") for i in range(10_000)]).values()]
    assert len(counts) == 5 and min(counts) > 1800 and max(counts) < 2200


def test_order_separates_rows_without_a_copy():
    rows = [picture_row("a.jpg"), Row.of(Source("b.jpg", "b.jpg"), status=FAILED, reason="undecodable")]
    assert place_all(rows) == {(PICTURES, 0): rows[:1], (OTHERS, 0): rows[1:]}


@pytest.mark.parametrize(("value", "thousandths"), [(-1.0, 0), (7.0, 1000), (float("nan"), 0), (0.1234, 123)])
def test_confidence_is_bounded(value, thousandths):
    assert items.confidence(picture_row("a.jpg", value)) == thousandths


def test_data_file_states_each_row(tmp_path):
    row = picture_row("box/<b>\u2028é.jpg", 0.25, notes=("one", "two"), output="images/other.png")
    other = picture_row("box/b.jpg", 0.5)
    found = [Item(other, problem="the copy is missing"), Item(row, Thumbnail(row.output_sha256, 87, True))]
    written = items.write(((PICTURES, 3), found), str(tmp_path))
    data = read(tmp_path / "review/data" / written.name)
    assert (written.part, written.number, written.count) == (PICTURES, 3, 2)
    assert data["name"] == ["<b>\u2028é.jpg", "b.jpg"] and data["output"] == ["images/other.png", ""]
    assert data["folder"] == {"values": ["box/"], "codes": [0, 0]}
    assert data["notes"] == {"values": [["one", "two"], []], "codes": [0, 1]}
    assert data["problem"] == {"values": ["", "the copy is missing"], "codes": [0, 1]}
    assert (data["confidence"], data["chroma"], data["view"]) == ([250, 500], [87, -1], [1, 0])


def test_data_file_name_follows_content(tmp_path):
    names = {items.write(((PICTURES, 0), [Item(picture_row(key))]), str(tmp_path)).name for key in ("a", "a", "b")}
    assert len(names) == 2
