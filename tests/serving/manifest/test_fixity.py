import numpy as np
import pytest

from serving.manifest import fixity


@pytest.mark.parametrize(("ignores_case", "expected"), [(False, False), (True, True)])
def test_named_files_are_found_in_another_case(ignores_case, expected):
    digest = fixity._digest("images/p/A.jpg", ignores_case)
    named = fixity.Named(np.array([digest], np.uint64), (), ignores_case)
    assert "images/p/A.jpg" in named and "images/p/b.jpg" not in named
    assert ("images/P/a.JPG" in named) is expected
