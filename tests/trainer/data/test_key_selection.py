import numpy as np
import pytest

from trainer.data import key_selection

KEYS = [f"street/{i}" for i in range(6)] + [f"clothes/{i}" for i in range(3)] + ["other/0"]


def test_repeats_give_each_source_its_share():
    shares = key_selection.parse_shares(["^street/=0.3", "^clothes/=0.6"])
    found = np.asarray(key_selection.repeats(shares, KEYS))
    np.testing.assert_allclose([found[:6].sum(), found[6:9].sum(), found[9]], [3, 6, 1], rtol=1e-6)
    np.testing.assert_allclose(found[:6], 0.5)


def test_first_pattern_that_matches_counts():
    shares = key_selection.parse_shares(["street/0$=0.2", "^street/=0"])
    found = key_selection.repeats(shares, KEYS)
    np.testing.assert_allclose(found, [2, *[0] * 5, *[2] * 4])


@pytest.mark.parametrize("text", ["street", "=0.5", "street=", "street=1.5", "street=-0.1", "street=nan", "(=0.5"])
def test_parse_shares_refuses_malformed_text(text):
    with pytest.raises(ValueError, match="--source_weights"):
        key_selection.parse_shares([text])


def test_parse_shares_refuses_more_than_all():
    with pytest.raises(ValueError, match=r"add up to 1\.2, expected at most 1"):
        key_selection.parse_shares(["a=0.6", "b=0.6"])


@pytest.mark.parametrize("texts", [["paintings=0.5"], ["^=0.5"]])
def test_repeats_refuses_source_without_photographs(texts):
    with pytest.raises(ValueError, match=r"has 0 of 10 training photographs, for a share of 0\.5"):
        key_selection.repeats(key_selection.parse_shares(texts), KEYS)


def test_subset_is_first_group_of_the_expression():
    pattern = key_selection.compile_subsets("^(\\w+)/1$|^other/(.)$")
    found = [key_selection.subset(pattern, key) for key in ("street/1", "street/0", "other/0")]
    assert found == ["street", key_selection.UNMATCHED, key_selection.UNMATCHED]
