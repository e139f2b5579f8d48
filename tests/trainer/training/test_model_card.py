from trainer.training import model_card

INFO = {
    "name": "tiny",
    "digest": "sha256:1",
    "version": "0",
    "image_size": 64,
    "ab_stride": 2,
    "backbone": "none",
    "backbone_weights": {"source": "none", "sha256": ""},
    "data_digest": "sha256:0",
    "steps": 1,
    "metrics": {
        "loss": 1.0,
        "chroma": 1.0,
        "true_chroma": 2.0,
        "expected_error_off_by": 3.0,
        "gain": 1.5,
        "calibrated_gain": 1.4,
        "examples": 4,
    },
    "licences": {"code": "Apache-2.0", "backbone_weights": "none used"},
}


def test_card_states_origins_of_colours():
    info = {**INFO, "teacher": "sha256:t, sha256:u", "init": ""}
    card = model_card.write_card(info)
    assert "| data | sha256:0 |\n| teachers | sha256:t, sha256:u |\n\n## Intended use" in card
    assert "started from" not in card


def test_card_states_each_subset():
    found = {"a|b": {"photographs": 2, "gain": 1.234, "chroma_ratio": 0.8, "median_chroma_ratio": 0.75}}
    row = model_card.format_subsets(found).splitlines()[-1]
    assert row == r"| a\|b | 2 | 1.23 | 0.80 | 0.75 |"
