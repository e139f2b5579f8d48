import pytest

from serving.iiif import layout

SHA = "3f" + "a" * 62


@pytest.mark.parametrize("page", [0, 2])
def test_unit_of_a_tile_is_its_service(page):
    service = layout.image(SHA, page)
    assert layout.unit(f"{service}/0,0,512,512/512,512/0/default.jpg") == service


@pytest.mark.parametrize("folder", [layout.MANIFESTS, layout.COLLECTIONS])
@pytest.mark.parametrize("key", ["scans/a.jpg", "", "../../<b>", "\udce9"])
def test_document_has_a_digest_as_its_name(folder, key):
    name = layout.document(folder, key)
    assert layout.unit(name) == name and name.isascii() and ".." not in name


@pytest.mark.parametrize(
    "path", ["collection.json", "notes.txt", f"images/00/{SHA}/info.json", "images/3f/x/info.json", "manifests/a.json"]
)
def test_other_files_are_of_no_unit(path):
    assert layout.unit(path) == ""
