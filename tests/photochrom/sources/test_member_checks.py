import pytest

from photochrom.sources import member_checks
from photochrom.sources.member_checks import MAX_FILE_BYTES, Names, Runs


@pytest.mark.parametrize(
    ("name", "size", "offset", "plain", "reason"),
    [
        ("a.jpg", 10, 0, True, ""),
        ("a.jpg", MAX_FILE_BYTES, 0, True, ""),
        ("a.jpg", MAX_FILE_BYTES + 1, 0, True, "too_large"),
        ("a.jpg", -1, 0, True, "broken_archive"),
        ("a.jpg", 10, -1, True, "broken_archive"),
        ("link.jpg", 0, 0, False, "not_a_file"),
        ("../a.jpg", 10, 0, True, "unsafe_name"),
        ("/etc/passwd", 10, 0, True, "unsafe_name"),
        ("seen.jpg", 10, 0, True, "duplicate_name"),
    ],
)
def test_screened_refuses_by_name_size_kind(name, size, offset, plain, reason):
    names = Names("box.zip")
    names.next("seen.jpg")
    found = member_checks.screened(names, "/scans/box.zip", name, size, plain, offset=offset)
    assert (found.failure.reason if found.failure else "") == reason
    assert found.key.startswith("box.zip!")
    assert reason or (found.size, found.offset) == (size, offset)


def test_names_give_repeated_members_unique_keys():
    names = Names("a.tar")
    found = [names.next(name) for name in ("1.jpg", "1.jpg", "1.jpg#2", "1.jpg", "2.jpg")]
    assert found == [
        ("a.tar!1.jpg", True),
        ("a.tar!1.jpg#2", False),
        ("a.tar!1.jpg#2#2", False),
        ("a.tar!1.jpg#3", False),
        ("a.tar!2.jpg", True),
    ]


@pytest.mark.parametrize(
    ("sizes", "runs"),
    [
        ([100] * 3, [0, 0, 0]),
        ([5 << 20, 5 << 20, 1], [0, 5 << 20, 5 << 20]),
        ([20 << 20, 1], [0, 20 << 20]),
        ([1] * 34, [0] * 32 + [32] * 2),
    ],
)
def test_runs_end_at_their_bytes_or_members(sizes, runs):
    division, offset, found = Runs(), 0, []
    for size in sizes:
        found.append(division.next(offset, size))
        offset += size
    assert found == runs
