"""The documents against the order that the schema gives; their content against the rows."""

import dataclasses
import io
from xml.etree import ElementTree

import pytest

from photochrom.sources.source import Source
from serving.bagit import premis
from serving.manifest import rows
from serving.manifest.rows import Row, Run

NS = "{http://www.loc.gov/premis/v3}"
RUN = Run(
    3, "2026-01-02T03:00:00Z", "2026-01-02T03:04:05Z", "1.2", "tint", "sha256:cc", "sha256:dd", listed=4, done=2,
    skipped=1, failed=1,
)  # fmt: skip
# Children in the order of premis-v3-0.xsd (January 18, 2016).
SEQUENCES = {
    "premis": ["object", "event", "agent"],
    "object": ["objectIdentifier", "objectCharacteristics", "originalName", "relationship"],
    "objectIdentifier": ["objectIdentifierType", "objectIdentifierValue"],
    "objectCharacteristics": ["fixity", "format"],
    "fixity": ["messageDigestAlgorithm", "messageDigest"],
    "format": ["formatDesignation"],
    "formatDesignation": ["formatName"],
    "relationship": ["relationshipType", "relationshipSubType", "relatedObjectIdentifier", "relatedEventIdentifier"],
    "relatedObjectIdentifier": ["relatedObjectIdentifierType", "relatedObjectIdentifierValue"],
    "relatedEventIdentifier": ["relatedEventIdentifierType", "relatedEventIdentifierValue"],
    "event": [
        "eventIdentifier", "eventType", "eventDateTime", "eventDetailInformation", "eventOutcomeInformation",
        "linkingAgentIdentifier", "linkingObjectIdentifier",
    ],
    "eventIdentifier": ["eventIdentifierType", "eventIdentifierValue"],
    "eventDetailInformation": ["eventDetail"],
    "eventOutcomeInformation": ["eventOutcome", "eventOutcomeDetail"],
    "eventOutcomeDetail": ["eventOutcomeDetailNote"],
    "linkingAgentIdentifier": ["linkingAgentIdentifierType", "linkingAgentIdentifierValue", "linkingAgentRole"],
    "linkingObjectIdentifier": ["linkingObjectIdentifierType", "linkingObjectIdentifierValue", "linkingObjectRole"],
    "agent": ["agentIdentifier", "agentName", "agentType", "agentVersion", "agentNote"],
    "agentIdentifier": ["agentIdentifierType", "agentIdentifierValue"],
}  # fmt: skip
REPEATED = {"object", "event", "agent", "linkingAgentIdentifier", "linkingObjectIdentifier", "eventOutcomeDetail"}


def row(key: str, status: str, **values) -> Row:
    return Row.of(Source(key, key), status=status, run=3, **values)


DONE = row(
    "scans/a & <b>.jpg", rows.DONE, output="images/scans/a & <b>.jpg", output_sha256="bb" * 32,
    source_sha256="aa" * 32, model_digest="sha256:cc", settings_digest="sha256:dd", format="JPEG", confidence=0.5,
    notes=("written with 8 bit a channel", "broken EXIF stands beside the copy, unchanged"),
)  # fmt: skip
COPIED = dataclasses.replace(DONE, key="c", reason="copied")
SKIPPED = row("s", rows.SKIPPED, reason="color_input", stage="screen", message="m", source_sha256="ee" * 32)
FAILED = row("f", rows.FAILED, reason="undecodable", stage="decode", message="bad byte \x00 \ud800 \ufffe")


@pytest.fixture(scope="module")
def document() -> tuple[str, ElementTree.Element]:
    file = io.BytesIO()
    found = [DONE, COPIED, SKIPPED, FAILED]
    premis.write(file, premis.listing_object("data/manifest/i.jsonl", "ff" * 32), lambda: iter(found), {3: RUN})
    return file.getvalue().decode(), ElementTree.fromstring(file.getvalue())


def texts(element: ElementTree.Element, name: str) -> list[str]:
    return [found.text or "" for found in element.iter(NS + name)]


def check_order(element: ElementTree.Element) -> None:
    name = element.tag.removeprefix(NS)
    children = [child.tag.removeprefix(NS) for child in element]
    order = SEQUENCES.get(name, [])
    assert children == sorted(children, key=order.index), name
    assert {child for child in children if children.count(child) > 1} <= REPEATED, name
    assert children or element.text, name
    for child in element:
        check_order(child)


def test_documents_keep_the_order_of_the_schema(document):
    text, root = document
    assert root.tag == f"{NS}premis" and root.get("version") == "3.0"
    check_order(root)
    assert [child.tag.removeprefix(NS) for child in root] == ["object"] * 3 + ["event"] * 4 + ["agent"] * 2
    assert len(text.splitlines()) == 3 + 3 + 4 + 2  # a line for each, to be read as a stream


def test_event_of_a_done_row_has_its_facts():
    event = ElementTree.fromstring(element(premis.event(DONE, RUN)))
    assert event.find(f"{NS}eventType").attrib == {
        "valueURI": "http://id.loc.gov/vocabulary/preservation/eventType/cre"
    }
    assert texts(event, "eventDateTime") == ["2026-01-02T03:04:05Z"]
    assert "key scans/a & <b>.jpg; settings sha256:dd; confidence 0.5" in texts(event, "eventDetail")[0]
    assert texts(event, "eventOutcome") == ["success"]
    assert texts(event, "eventOutcomeDetailNote") == list(DONE.notes)
    assert texts(event, "linkingAgentIdentifierValue") == ["photochrom 1.2", "sha256:cc"]
    linked = zip(texts(event, "linkingObjectRole"), texts(event, "linkingObjectIdentifierValue"), strict=True)
    assert list(linked) == [
        ("source", "aa" * 32), ("outcome", "data/images/scans/a & <b>.jpg"), ("outcome", "bb" * 32)
    ]  # fmt: skip


def element(of: ElementTree.Element) -> bytes:
    of.set("xmlns:premis", NS[1:-1])
    return ElementTree.tostring(of)


def test_event_of_other_rows_has_the_reason():
    copied, skipped, failed = (
        ElementTree.fromstring(element(premis.event(one, RUN))) for one in (COPIED, SKIPPED, FAILED)
    )
    assert texts(copied, "eventType") == ["replication"]
    assert texts(copied, "linkingAgentIdentifierValue") == texts(skipped, "linkingAgentIdentifierValue")
    assert texts(skipped, "eventOutcome") + texts(failed, "eventOutcome") == ["skipped", "fail"]
    assert texts(skipped, "eventOutcomeDetailNote") == ["screen: color_input: m"]
    assert texts(failed, "eventOutcomeDetailNote") == ["decode: undecodable: bad byte \\x00 \\ud800 \\xfffe"]
    assert texts(failed, "linkingObjectIdentifierType") == ["key"]


def test_copy_is_an_object_derived_by_the_event(document):
    _, root = document
    found = root.findall(f"{NS}object")[1]
    assert texts(found, "objectIdentifierValue") == ["data/images/scans/a & <b>.jpg"]
    assert texts(found, "messageDigest") == ["bb" * 32] and texts(found, "formatName") == ["JPEG"]
    assert texts(found, "relatedObjectIdentifierValue") == ["aa" * 32]
    assert texts(found, "relatedEventIdentifierValue") == [premis.event_identifier(DONE)]


def test_event_identifier_depends_on_makers_and_outcome():
    assert premis.event_identifier(DONE) == "21deeda5-19c0-52ca-8d2b-a32dbf9df4e3"
    names = ("key", "source_sha256", "model_digest", "settings_digest", "output_sha256")
    others = [dataclasses.replace(DONE, **{name: "x"}) for name in names]
    assert len({premis.event_identifier(one) for one in (DONE, *others)}) == 6
    assert premis.event_identifier(dataclasses.replace(DONE, run=7)) == premis.event_identifier(DONE)
