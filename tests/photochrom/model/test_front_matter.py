import pytest

from photochrom.model import front_matter

yaml = pytest.importorskip("yaml", reason="reads the front matter back")
HOSTILE = ("a: b", "- x", "---", '"quoted"', "#no comment", "{{ x }}", "<script>", "|", "é 𝔘", "yes", "1.0", "\u202e")


@pytest.mark.parametrize("text", HOSTILE)
def test_front_matter_is_yaml_with_the_same_values(text):
    values = {"license": text, "tags": [text, "b"]}
    first, *found, last, end = front_matter.encode(values).split("\n")
    assert (first, last, end) == ("---", "---", "") and yaml.safe_load("\n".join(found)) == values


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("CC-BY-4.0", {"license": "cc-by-4.0"}),
        ("https://creativecommons.org/licenses/by-sa/4.0/", {"license": "cc-by-sa-4.0"}),
        ("http://creativecommons.org/publicdomain/zero/1.0/", {"license": "cc0-1.0"}),
        ("", {"license": "unknown"}),
        ("Research only", {"license": "other", "license_name": "Research only"}),
        (
            "https://a.example/terms",
            {"license": "other", "license_name": "https://a.example/terms", "license_link": "https://a.example/terms"},
        ),
    ],
)
def test_licence_has_the_name_that_hubs_know(text, entries):
    assert front_matter.licence(text) == entries


@pytest.mark.parametrize("text", ["<b>", "[x](javascript:1)", "`x`", "a|b", "*x*", "_x_", "https://a.example/<b>"])
def test_text_in_a_card_has_no_markup(text):
    shown = front_matter.linked(text)
    assert not set(shown) & set("<>[]()`|*_")
    assert front_matter.linked("https://a.example/x_y") == "<https://a.example/x_y>"
