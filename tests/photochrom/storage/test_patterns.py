import pytest

from photochrom.storage import patterns


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("*.jpg", "a.jpg", ".a.jpg d/a.jpg a.JPG"),
        (".*", ".a", "a"),
        ("**", "a d/a", ".a d/.a a/"),
        ("**/*.jpg", "a.jpg d/e/a.jpg", "d/.e/a.jpg d/.a.jpg"),
        ("d/**/f", "d/f d/e/f d/e/g/f", "d/.e/f e/f"),
        ("[!a]?", "bc", "ab b"),
        ("[[]1]", "[1]", "1"),
        ("d/e", "d/e", "d/f d"),
    ],
)
def test_pattern_matches_as_glob_does(pattern, matching, others):
    assert all(patterns.matches(pattern, name) for name in matching.split())
    assert not any(patterns.matches(pattern, name) for name in others.split())


@pytest.mark.parametrize(("pattern", "start"), [("a/b*", "a/b"), ("a/b", "a/b"), ("[ab]", ""), ("a?c", "a")])
def test_fixed_start_ends_at_wildcard(pattern, start):
    assert patterns.fixed_start(pattern) == start
    assert patterns.is_pattern(pattern) == (start != pattern)


@pytest.mark.parametrize(
    ("pattern", "folder", "rest"),
    [
        ("/a/b/*.jpg", "/a/b/", "*.jpg"),
        ("/a/[[]1]/x[*]/**", "/a/[1]/x*/", "**"),
        ("/a/[12]/b/*", "/a/", "[12]/b/*"),
        ("*", "", "*"),
    ],
)
def test_split_ends_before_first_wildcard(pattern, folder, rest):
    assert patterns.split(pattern) == (folder, rest)


def test_escaped_name_matches_itself_alone():
    name = "a[1]*?/b"
    assert patterns.matches(patterns.escape(name), name)
    assert not patterns.matches(patterns.escape(name), "a1xx/b")
