import json
import re

from photochrom import errors
from serving.review import words
from serving.screening import triage
from tests.support import review_site
from tests.support.review_site import picture_row


def index(page) -> dict:
    text = (page.parent / "data/index.js").read_text()
    return json.loads(text[len("photochrom.index(") : -len(");\n")])


def test_index_names_data_files_and_totals(tmp_path):
    found = index(review_site.write(tmp_path / "coloured", [picture_row(f"{i}.jpg", i / 2500) for i in range(2500)]))
    assert sum(one["count"] for one in found["pictures"]) == 2500 and len(found["pictures"]) == 2
    assert found["others"] == [] and found["title"] == "coloured" and found["totals"]["done"] == 2500
    assert found["runs"] == [{"run": 1, "started": "2026-01-31T12:00:00Z", "model": "tint"}]


def test_earlier_data_files_are_deleted(tmp_path):
    (tmp_path / "review/data").mkdir(parents=True)
    (tmp_path / "review/data/pictures-00000-000000000000.js").write_text("old")
    page = review_site.write(tmp_path, [picture_row("a.jpg")])
    left = {path.name for path in (page.parent / "data").iterdir()}
    assert left == {"index.js", index(page)["pictures"][0]["file"]}


def test_page_loads_only_its_own_files(tmp_path):
    page = review_site.write(tmp_path, [picture_row("a.jpg")])
    text = page.read_text()
    for link in re.findall(r'(?:src|href)="([^"]+)"', text):
        assert (page.parent / link).is_file(), link
    assert not re.search(r'https?:|\son\w+="|style="|<script>|<style', text)


def test_every_reason_has_words():
    reasons = {
        kind.reason for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.DataError)
    } - {errors.Colourless.reason}  # of prepare alone
    assert (
        reasons | errors.IGNORED | set(triage.UNSUITABLE) | {"toned", "color_input", "copied"} <= words.REASONS.keys()
    )
