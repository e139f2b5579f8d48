import pytest

from photochrom import errors
from pipelines import reconciliation


@pytest.mark.parametrize(
    ("listed", "written", "matches"),
    [
        (1, 1, True),
        (2, 1, True),  # two inputs name the same file
        (1, 0, False),
        (1, 2, False),
        (0, 1, False),
    ],
)
def test_mismatches_requires_one_row_for_each_input(listed, written, matches):
    found = reconciliation.mismatches(("a.jpg", {"listed": iter([None] * listed), "written": iter([None] * written)}))
    assert found == ([] if matches else ["a.jpg"])


def test_check_names_mismatched_keys():
    assert reconciliation.check([])
    with pytest.raises(errors.PhotochromError, match=r"does not add up: .* such as \['a.jpg'\]; .* delete the folder"):
        reconciliation.check(["a.jpg"])
