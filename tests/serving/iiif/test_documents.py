import csv
import io
import json
import pathlib

import jsonschema
import pytest

from photochrom.sources.source import Source
from serving.iiif import documents
from serving.iiif.documents import Item, Picture, Terms
from serving.manifest.rows import Row

BASE = "https://archive.example/coloured"
TERMS = Terms(BASE, "Box 7", "http://creativecommons.org/licenses/by/4.0/", "City Archive")
NAMES = ("a.jpg", '<img src=x onerror="alert(1)">', "=1+1.jpg", "\u202egpj.a", "a\"b'c&amp;.png", "𝔘" * 60 + ".tif")


def item(key: str = "scans/a.jpg", border: int = 0, **values) -> Item:
    """Returns a large item."""
    row = Row.of(Source(key, key), output=f"images/{key}", output_sha256="b" * 64, source_sha256="a" * 64, **values)
    return Item(row, "tint", Picture("images/aa/a", (1900, 2600)), Picture("images/bb/b", (1900 + border, 2600)))


@pytest.fixture(scope="module")
def schema():
    """The schema of the IIIF presentation-validator (Apache-2.0), by which its service judges manifests."""
    return jsonschema.Draft7Validator(
        json.loads(pathlib.Path(__file__).with_name("presentation_3.schema.json").read_text())
    )


@pytest.mark.parametrize("name", NAMES)
def test_manifest_is_valid_by_the_public_schema(schema, name):
    document = json.loads(
        documents.encode(documents.manifest(item(f"scans/{name}", model_digest=name, decision="accepted"), TERMS))
    )
    assert [error.message for error in schema.iter_errors(document)] == []
    labels = [canvas["label"]["en"] for canvas in document["items"]]
    assert labels == [[documents.SIDE_BY_SIDE], [documents.SCAN], [documents.COPY]]
    del document["items"][0]["height"]
    assert not schema.is_valid(document)


def test_collections_are_valid_by_the_public_schema(schema):
    members = [documents.item_reference(item(), TERMS), documents.collection_reference("scans", TERMS)]
    document = json.loads(documents.encode(documents.collection("collection.json", {"none": ["Box"]}, members, TERMS)))
    assert [error.message for error in schema.iter_errors(document)] == []
    assert [member["type"] for member in document["items"]] == ["Manifest", "Collection"]
    assert not schema.is_valid({**document, "items": [{"type": "Manifest"}]})


def test_pictures_stand_side_by_side_without_overlap():
    pair, scan, copy = documents.manifest(item(border=40), TERMS)["items"]
    places = [one["target"].partition("#xywh=")[2] for one in pair["items"][0]["items"]]
    assert places == ["0,0,2600,1900", "2652,0,2600,1940"]
    assert (pair["width"], pair["height"]) == (5252, 1940)
    assert (scan["width"], scan["height"], copy["height"]) == (2600, 1900, 1940)
    bodies = [canvas["items"][0]["items"][0]["body"]["id"] for canvas in (scan, copy)]
    assert bodies == [f"{BASE}/images/{place}/full/max/0/default.jpg" for place in ("aa/a", "bb/b")]


def test_only_a_large_picture_has_a_service():
    small = Item(item().row, "tint", Picture("images/aa/a", (80, 90)), Picture("images/bb/b", (1900, 2600)))
    _, scan, copy = documents.manifest(small, TERMS)["items"]
    assert "service" not in scan["items"][0]["items"][0]["body"]
    (service,) = copy["items"][0]["items"][0]["body"]["service"]
    assert service == {"id": f"{BASE}/images/bb/b", "type": "ImageService3", "profile": "level0"}


@pytest.mark.parametrize("name", NAMES)
def test_no_name_is_markup_or_part_of_a_url(name):
    document = documents.manifest(item(f"scans/{name}"), TERMS)
    (value,) = document["metadata"][0]["value"]["none"]
    assert "<" not in value.removeprefix("<span>").removesuffix("</span>")
    assert name not in json.dumps([document["id"], document["items"]])


@pytest.mark.parametrize(
    ("licence", "rights"),
    [
        ("https://creativecommons.org/licenses/by/4.0/", "http://creativecommons.org/licenses/by/4.0/"),
        ("http://rightsstatements.org/vocab/NoC-US/1.0/", "http://rightsstatements.org/vocab/NoC-US/1.0/"),
        ("https://archive.example/terms", None),
        ("All rights reserved", None),
    ],
)
def test_rights_are_stated_only_as_the_standard_allows(licence, rights):
    document = documents.manifest(item(), Terms(BASE, "", licence))
    assert document.get("rights") == rights
    assert document["metadata"][-1]["value"]["none"] == [licence]


def test_every_manifest_states_that_software_coloured_it():
    statement = documents.manifest(item(), Terms(BASE, ""))["requiredStatement"]["value"]["none"]
    assert len(statement) == 1 and "model tint" in statement[0] and "estimate" in statement[0]


def test_table_is_sorted_and_no_cell_is_a_formula():
    bad = Item(item("=cmd.jpg").row, "tint", problem="the scan is missing")
    rows = list(csv.DictReader(io.StringIO(documents.table([item(), bad], TERMS).decode())))
    assert [row["key"] for row in rows] == ["'=cmd.jpg", "scans/a.jpg"]
    assert rows[0]["manifest"] == "" and rows[0]["problem"] == "the scan is missing"
    assert rows[1]["manifest"] == f"{BASE}/{item().manifest}" and rows[1]["copy_sha256"] == "b" * 64
