import hypothesis
import pytest
from hypothesis import strategies

from photochrom.sources import keys


def test_digests_are_stable():
    # Golden: splits, shards and so the bytes of every dataset hang on these.
    assert keys.digest("scans/box1/001.tif") == 0x2FFE6D2E4EA63372
    assert keys.digest("scans/box1/001.tif", seed=1) == 0xFD20BE23AFC1DA45
    assert keys.digest("caf\udce9") == 0xB322885B95EAEAF0


def test_fractions_are_spread_evenly():
    counts = [0] * 10
    for i in range(10_000):
        counts[int(keys.fraction(f"photos/{i}.jpg") * 10)] += 1
    assert min(counts) > 900 and max(counts) < 1100


def test_page_keys_lead_back_to_file():
    assert [keys.of_page("a.zip!box/1.tif", page, 3) for page in (0, 2)] == [
        "a.zip!box/1.tif#page=0001", "a.zip!box/1.tif#page=0003",
    ]  # fmt: skip
    assert keys.of_page("1.tif", 11_110, 20_000) == "1.tif#page=11111"
    assert keys.of_file("1.tif#page=11111") == keys.of_file("1.tif") == "1.tif"


def test_single_page_keeps_unambiguous_key():
    assert keys.of_page("1.tif", 0, 1) == "1.tif"
    assert keys.of_page("1.tif#page=0002", 0, 1) == "1.tif#page=0002#page=0001"


def test_page_keys_are_unique():
    names = ("1.tif", "1.tif#page=0001", "1.tif#page=0002", "1.tif#page=0002#page=0001")
    made = {name: {keys.of_page(name, page, count) for count in (1, 3) for page in range(count)} for name in names}
    assert sum(map(len, made.values())) == len(set().union(*made.values())) == 4 + 3 * 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x/Wow!z.jpg", ("x/Wow!z.jpg", "")),
        ("box.zip!p/1.jpg", ("box.zip", "p/1.jpg")),
        ("a.tar.gz!b!c.jpg", ("a.tar.gz", "b!c.jpg")),
    ],
)
def test_member_starts_after_archive_name(text, expected):
    assert keys.split_member(text) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("scans/box 1/ü#2.jpg", "scans/box 1/ü#2.jpg"),
        ("n\nm", "n\\x0am"),
        ("n\\x0am", "n\\x5cx0am"),
        ("a\\b\\xylophone", "a\\b\\xylophone"),
        ("caf\udce9", "caf\\udce9"),
        ("caf\\udce9", "caf\\x5cudce9"),
        ("a.zip!b.jpg", "a.zip\\x21b.jpg"),
        ("a!b.jpg", "a!b.jpg"),
    ],
)
def test_path_is_escaped_where_needed_alone(path, expected):
    assert keys.of_path(path) == expected


NAMES = strategies.text("\\x05cadn\n\udce9\u202e!.zip", min_size=1, max_size=6)


@hypothesis.given(NAMES, NAMES)
def test_no_two_names_have_one_key(one, other):
    hypothesis.assume(one != other)
    assert keys.of_path(one) != keys.of_path(other)
    assert keys.of_member("a.zip", one) != keys.of_member("a.zip", other)
    assert keys.of_path(f"a.zip!{one}") != keys.of_member("a.zip", one)


@pytest.mark.parametrize(
    ("key", "expected"),
    [("a.tar!./p//1.jpg", "a.tar!p/1.jpg"), ("a.tar!./p/", "a.tar!p/"), ("./a.tar", "./a.tar"), ("a.tar!*", "a.tar!*")],
)
def test_older_keys_of_members_are_normalized(key, expected):
    assert keys.with_normal_member(key) == expected


def test_very_long_name_has_short_unique_key():
    found = {keys.of_member("a.zip", f"{'x' * 100_000}{end}") for end in range(3)}
    assert len(found) == 3 and max(map(len, found)) < 200


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("./a.jpg", "a.jpg"),
        ("p/./y", "p/y"),
        ("p//y", "p/y"),
        ("a/", "a"),
        ("/a", "/a"),
        ("a/../b", "a/../b"),
        (".", ""),
    ],
)
def test_normalized_keeps_what_is_refused(name, expected):
    assert keys.normalized(name) == expected
