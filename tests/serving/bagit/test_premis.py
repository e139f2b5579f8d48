"""The documents against the order that the schema gives; their content against the rows."""

import io
from xml.etree import ElementTree

import pytest

from photochrom.sources.source import Source
from serving.bagit import premis
from serving.manifest import manifest

NS = "{http://www.loc.gov/premis/v3}"
RUN = {
    "run": 3, "finished": "2026-01-02T03:04:05Z", "version": "1.2", "model_name": "tint", "model_digest": "sha256:cc",
}  # fmt: skip
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


def row(key: str, status: str, **values) -> manifest.Row:
    return manifest.row(Source(key, key), status, run=3, **values)


DONE = row(
    "scans/a & <b>.jpg", manifest.DONE, output="images/scans/a & <b>.jpg", output_sha256="bb" * 32,
    source_sha256="aa" * 32, model_digest="sha256:cc", settings_digest="sha256:dd", format="JPEG", confidence=0.5,
    notes=["written with 8 bit a channel", "broken EXIF lies beside the copy as it came"],
)  # fmt: skip
COPIED = {**DONE, "key": "c", "reason": "copied"}
SKIPPED = row("s", manifest.SKIPPED, reason="color_input", stage="screen", message="m", source_sha256="ee" * 32)
FAILED = row("f", manifest.FAILED, reason="undecodable", stage="decode", message="bad byte \x00 \ud800 \ufffe")


@pytest.fixture(scope="module")
def document() -> tuple[str, ElementTree.Element]:
    file = io.BytesIO()
    rows = [DONE, COPIED, SKIPPED, FAILED]
    premis.write(file, premis.listing_object("data/manifest/i.jsonl", "ff" * 32), lambda: iter(rows), {3: RUN})
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


def test_a_done_row_tells_what_when_by_whom_from_what_and_to_what():
    event = ElementTree.fromstring(element(premis.event(DONE, RUN)))
    assert event.find(f"{NS}eventType").attrib == {
        "valueURI": "http://id.loc.gov/vocabulary/preservation/eventType/cre"
    }
    assert texts(event, "eventDateTime") == ["2026-01-02T03:04:05Z"]
    assert "key scans/a & <b>.jpg; settings sha256:dd; confidence 0.5" in texts(event, "eventDetail")[0]
    assert texts(event, "eventOutcome") == ["success"]
    assert texts(event, "eventOutcomeDetailNote") == DONE["notes"]
    assert texts(event, "linkingAgentIdentifierValue") == ["photochrom 1.2", "sha256:cc"]
    linked = zip(texts(event, "linkingObjectRole"), texts(event, "linkingObjectIdentifierValue"), strict=True)
    assert list(linked) == [
        ("source", "aa" * 32), ("outcome", "data/images/scans/a & <b>.jpg"), ("outcome", "bb" * 32)
    ]  # fmt: skip


def element(of: ElementTree.Element) -> bytes:
    of.set("xmlns:premis", NS[1:-1])
    return ElementTree.tostring(of)


def test_other_rows_tell_why_not():
    copied, skipped, failed = (
        ElementTree.fromstring(element(premis.event(one, RUN))) for one in (COPIED, SKIPPED, FAILED)
    )
    assert texts(copied, "eventType") == ["replication"]
    assert texts(copied, "linkingAgentIdentifierValue") == texts(skipped, "linkingAgentIdentifierValue")
    assert texts(skipped, "eventOutcome") + texts(failed, "eventOutcome") == ["skipped", "fail"]
    assert texts(skipped, "eventOutcomeDetailNote") == ["screen: color_input: m"]
    assert texts(failed, "eventOutcomeDetailNote") == ["decode: undecodable: bad byte \\x00 \\ud800 \\xfffe"]
    assert texts(failed, "linkingObjectIdentifierType") == ["key"]


def test_the_copy_is_an_object_that_was_derived_by_the_event(document):
    _, root = document
    found = root.findall(f"{NS}object")[1]
    assert texts(found, "objectIdentifierValue") == ["data/images/scans/a & <b>.jpg"]
    assert texts(found, "messageDigest") == ["bb" * 32] and texts(found, "formatName") == ["JPEG"]
    assert texts(found, "relatedObjectIdentifierValue") == ["aa" * 32]
    assert texts(found, "relatedEventIdentifierValue") == [premis.event_identifier(DONE)]


def test_an_event_has_the_same_identifier_again_and_another_if_anything_differs():
    assert premis.event_identifier(DONE) == "21deeda5-19c0-52ca-8d2b-a32dbf9df4e3"
    others = [
        {**DONE, name: "x"} for name in ("key", "source_sha256", "model_digest", "settings_digest", "output_sha256")
    ]
    assert len({premis.event_identifier(one) for one in (DONE, *others)}) == 6
    assert premis.event_identifier({**DONE, "run": 7}) == premis.event_identifier(DONE)
