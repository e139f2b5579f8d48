import pytest

from serving.manifest import layout


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("images/a.jpg", True),
        ("images/box/images", True),
        ("images/box.tar/./a.jpg", True),  # as tar names members of the folder `.`
        ("images/..a/b..", True),
        ("images/caf\u00e9.jpg", True),
        ("rejected/box/a.jpg", True),
        ("rejected/../images/a.jpg", False),
        ("images", False),
        ("images/", False),
        ("images/box/", False),
        ("images/.", False),
        ("images/..", False),
        ("images/../secret", False),
        ("images/../../secret", False),
        ("imagesX/a.jpg", False),
        ("/images/a.jpg", False),
        ("/etc/passwd", False),
        ("manifest/summary.json", False),
        ("images/a\0b", False),
        ("images/a\nb", False),
        ("", False),
    ],
)
def test_copy_path_is_below_images_or_rejected(name, expected):
    assert layout.is_copy_path(name) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("manifest/items-00000-of-00001.jsonl", True),
        ("manifest/gone-00000-of-00001.jsonl", True),
        (f"manifest/pending/{'0' * 32}.jsonl", True),
        ("manifest/summary.json", True),
        ("manifest/runs.jsonl", True),
        ("manifest/canary.png", True),
        ("manifest/notes.txt", False),
        ("manifest/summary_json", False),
        ("manifest/pending/x.jsonl", False),
        ("items-00000-of-00001.jsonl", False),
    ],
)
def test_listing_is_a_file_of_the_manifest(name, expected):
    assert layout.is_listing(name) is expected


def test_output_paths_are_those_of_the_documentation():
    paths = layout.OutputPaths("gs://b/out/")
    assert (paths.images, paths.manifest, paths.pending) == (
        "gs://b/out/images", "gs://b/out/manifest", "gs://b/out/manifest/pending",
    )  # fmt: skip
    assert (paths.scratch, paths.progress, paths.spool, paths.canary) == tuple(
        f"gs://b/out/.colorize{end}" for end in ("", "/progress", "/spool", "/canary")
    )
