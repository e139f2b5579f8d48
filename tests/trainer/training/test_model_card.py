from tests.support.training import INFO as UNSEALED
from trainer.training import model_card

INFO = {**UNSEALED, "digest": "sha256:1"}


def test_card_states_origins_of_colours():
    info = {**INFO, "teacher": "sha256:t, sha256:u", "init": ""}
    card = model_card.write_card(info)
    assert "its `README.md` |\n| teachers | sha256:t, sha256:u |\n\n## Intended use" in card
    assert "continued from" not in card


def test_card_states_each_subset():
    found = {"a|b": {"photographs": 2, "gain": 1.234, "chroma_ratio": 0.8, "median_chroma_ratio": 0.75}}
    row = model_card.format_subsets(found).splitlines()[-1]
    assert row == r"| a\|b | 2 | 1.23 | 0.80 | 0.75 |"


def test_card_names_base_model_data_card_and_digest():
    card = model_card.write_card(INFO)
    assert "| base model | none, weights none |" in card
    assert "| training data | the dataset with digest sha256:0; its card is its `README.md` |" in card
    assert "| digest | sha256:1 |" in card
    continued = model_card.write_card({**INFO, "init": "sha256:old"})
    assert "weights none; continued from the bundle sha256:old |" in continued


def test_card_begins_with_front_matter():
    lines = model_card.write_card(INFO).splitlines()
    assert lines[0] == "---" and 'pipeline_tag: "image-to-image"' in lines[: lines.index("---", 1)]
