"""The names of copies are an injective function of keys, also where the file system ignores case."""

import collections
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from photochrom.imaging import picture
from photochrom.storage.names import folded, parts_below
from serving import naming
from serving.copies import formats
from serving.manifest import layout

PARTS = [
    "a", "a.jpg", "A.JPG", "x.jpg", "b.gif", "b.gif.coloured.png", "B.gif.Coloured.png", "a.jpg.coloured.jpg",
    "a.jpg.xmp", "a.exif", "a.coloured", "a.zip", "A.ZIP", "a.zip~", "a.tar.gz", "a.tgz~~", "a.tif#page=0001",
    "a.tif#page=0000", "a.tif", "A.TIF#PAGE=0001", "é.jpg", unicodedata.normalize("NFD", "é.jpg"), "É.jpg",
    "a.ti\ufb00", "a.tiff", "~", "", ".", "..", ".~", "..~", "n\\x0am", "a%0A", "a%250a", ".photochrom-tmp-1.jpg",
    ".~photochrom-tmp-1.jpg", "a~01234567.jpg", "a~01234567", "a~01234567.jpg~01234567", "STRASSE.png", "straße.png",
]  # fmt: skip
PATHS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=3).map("/".join)
MEMBERS = st.tuples(PATHS, st.sampled_from(["", ".zip", ".tar.gz", ".TAR"]), PATHS).map(
    lambda one: f"{one[0]}{one[1]}!{one[2]}"
)
KEYS = st.lists(st.one_of(PATHS, MEMBERS), min_size=1, max_size=12, unique=True)


def names_of(keys: list[str]) -> dict[str, str]:
    """Returns key -> path, as the groups of a run decide."""
    groups = collections.defaultdict(list)
    for key in keys:
        groups[naming.group(key)].append(key)
    return {key: path for group in groups.values() for key, path in naming.paths(group).items()}


def files_of(path: str, choice: int) -> list[str]:
    """Returns the names of a copy in one of all formats, coloured or as it is, and of all that may stand beside it."""
    coloured = [formats.file_name(path, one) for one in formats.FORMATS.values()]
    names = [*coloured, *(naming.kept_name(path, one) for one in picture.FORMATS)]
    name = names[choice % len(names)]
    assert name in naming.names(path) and naming.is_name(name, path)
    return [name, *(name + end for end in formats.SIDECARS)]


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(KEYS, st.integers(0, 1000))
@example(["x.zip!a.jpg", "x.zip!./a.jpg", "x.zip!a.jpg/y.jpg", "x.zip/a.jpg"], 0)
@example(["d/a.zip!x.jpg", "d/a.zip/x.jpg", "d/a.zip~/x.jpg", "d/A.zip/x.jpg"], 0)
@example(["b.gif", "b.gif.coloured.png", "b.gif.coloured.png.coloured.png", "B.GIF"], 4)
def test_no_two_keys_claim_one_path(keys, choice):
    found = names_of(keys)
    named = [name for i, key in enumerate(sorted(keys)) for name in files_of(found[key], choice + i)]
    assert len(set(named)) == len(named) == len(set(map(folded, named)))
    above = {name.rsplit("/", i)[0] for name in map(folded, named) for i in range(1, name.count("/"))}
    assert not above & set(map(folded, named))
    for name in named:
        assert layout.is_copy_path(name) and parts_below(name) == [part for part in name.split("/") if part != "."]
        assert "/.photochrom-tmp-" not in name and "%0a" not in name.lower()


@settings(max_examples=100, derandomize=True, database=None, deadline=None)
@given(st.lists(PATHS, min_size=1, max_size=6, unique=True), st.integers(0, 5))
def test_pages_share_the_path_of_their_file(files, first):
    keys = [f"{name}#page={page:04d}" for name in files for page in (1, 2)]
    claims = collections.defaultdict(set)
    for key in keys:
        claims[naming.group(key)] |= {key, naming.of_whole_file(key)}
    found = {claim: path for group in claims.values() for claim, path in naming.paths(group).items()}
    assert all(naming.group(key) in claims for key in keys)
    named = [naming.kept_name(path, picture.FORMATS[first]) for path in found.values()]
    assert len(found) == len(files) * 3 == len(set(map(folded, named)))
    assert {naming.of_whole_file(key) for key in keys} <= found.keys()


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("scans/box1/001.tif", "scans/box1/001.tif"),
        ("scans/box.zip!p/1.jpg", "scans/box.zip/p/1.jpg"),
        ("a.tar.gz!1.jpg", "a.tar.gz/1.jpg"),
        ("A.TGZ!1.jpg", "A.TGZ/1.jpg"),
        ("wow!/1.jpg", "wow!/1.jpg"),
        ("wow!.zip!a!b.jpg", "wow!.zip/a!b.jpg"),
        ("a.zip!1.tif#page=0002", "a.zip/1.tif#page=0002"),
        ("Box 1.2/2020.01.05/IMG_1.JPG", "Box 1.2/2020.01.05/IMG_1.JPG"),
        ("~user/x~1.jpg", "~user/x~1.jpg"),
        # Marked, for a file or an archive may have that name.
        ("d/a.zip/x.jpg", "d/a.zip~/x.jpg"),
        ("d/a.zip~/x.jpg", "d/a.zip~~/x.jpg"),
        ("d.zip/a.zip!b.ZIP/x.jpg", "d.zip~/a.zip/b.ZIP~/x.jpg"),
        ("a.zip!x.jpg/y.jpg", "a.zip/x.jpg~/y.jpg"),
        ("a.zip!b.gif.coloured.x/y.jpg", "a.zip/b.gif.coloured.x~/y.jpg"),
        ("a.zip!../../x.jpg", "a.zip/..~/..~/x.jpg"),
        ("/x//y/.", "~/x/~/y/.~"),
        ("a%0Ab.jpg", "a%250Ab.jpg"),
        (".photochrom-tmp-1.jpg", ".~photochrom-tmp-1.jpg"),
    ],
)
def test_single_key_has_a_plain_path(key, path):
    assert naming.paths([key]) == {key: f"images/{path}"}


def test_twins_get_digits_of_their_digests():
    assert naming.paths(["p/a.jpg", "p/A.jpg"]) == {
        "p/A.jpg": "images/p/A~895e424c.jpg",
        "p/a.jpg": "images/p/a~37684530.jpg",
    }
    [path] = naming.paths(["p/a~01234567.jpg"]).values()  # which a twin might have
    assert path.startswith("images/p/a~01234567~") and path.endswith(".jpg")


def test_kept_file_has_a_suffix_without_mark():
    assert naming.kept_name("images/a.JPG", "JPEG") == "images/a.JPG"
    assert naming.kept_name("images/a", "JPEG") == "images/a.coloured.jpg"
    assert naming.kept_name("images/a.dat", "GIF") == "images/a.dat.coloured.gif"
    assert naming.kept_name("images/b.gif.coloured.png", "PNG") == "images/b.gif.coloured.png.coloured.png"
