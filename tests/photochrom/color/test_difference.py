import numpy as np
import pytest

from photochrom.color import difference

# Sharma, Wu, Dalal 2005, table 1: pairs 1, 7, 17 and 25.
PAIRS = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
]


@pytest.mark.parametrize(("lab", "other", "expected"), PAIRS)
def test_ciede2000_matches_the_paper(lab, other, expected):
    found = difference.ciede2000(np.array([[lab]]), np.array([[other]]))
    assert found.shape == (1, 1)
    assert found[0, 0] == pytest.approx(expected, abs=1e-4)


def test_mean_chroma_ignores_lightness():
    lab = np.array([[(10, 3, 4), (90, 0, 0)]], np.float32)
    assert difference.mean_chroma(lab) == 2.5
