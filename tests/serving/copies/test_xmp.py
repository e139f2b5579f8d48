from xml.etree import ElementTree

import pytest

from serving.copies import xmp
from tests.serving.copies.conftest import PROVENANCE
from tests.support.metadata_blocks import XMP

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def said(packet: bytes) -> dict[str, str]:
    """Local name -> text, of elements and attributes."""
    values = {}
    for element in ElementTree.fromstring(packet).iter():
        values |= {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
        values[element.tag.rpartition("}")[2]] = (element.text or "").strip()
    return values


def test_merge_writes_provenance():
    values = said(xmp.merge(b"", PROVENANCE))
    assert values["DigitalSourceType"].endswith("/digitalsourcetype/compositeWithTrainedAlgorithmicMedia")
    assert (values["AISystemUsed"], values["AISystemVersionUsed"]) == ("Photochrom, model a <b> & c", "sha256:12")
    assert (values["documentID"], values["filePath"]) == (f"sha256:{'34' * 32}", "scan ü.tif")
    assert values["CreatorTool"].startswith("Photochrom ")
    assert values["ModifyDate"] == values["MetadataDate"] == "2026-01-31"


def test_merge_keeps_the_archives_properties():
    packet = xmp.merge(XMP, PROVENANCE)
    values = said(packet)
    assert (values["City"], values["box"], values["li"]) == ("Köln", "7", "Bread & butter")
    assert values["CreatorTool"].startswith("Photochrom ") and b"Scanner" not in packet
    assert b'xmlns:own="http://archive.example/ns/"' in packet  # with its prefix


def test_merge_removes_properties_of_the_original_pixels():
    values = said(xmp.merge(XMP, PROVENANCE))
    assert not {"Orientation", "format", "DocumentID"} & set(values)
    assert values["originalDocumentID"] == "xmp.did:first"


def test_merge_keeps_one_subject():
    packet = xmp.merge(XMP, PROVENANCE)
    abouts = [e.get(f"{{{RDF}}}about") for e in ElementTree.fromstring(packet).iter(f"{{{RDF}}}Description")]
    assert abouts == ["uuid:1", "uuid:1"]


def test_merge_twice_has_one_of_each():
    once = xmp.merge(XMP, PROVENANCE)
    assert xmp.merge(once, PROVENANCE).count(b"<xmp:CreatorTool>") == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_merge_reads_any_encoding(encoding):
    source = XMP.decode().partition("?>")[2].strip().encode(encoding)
    assert said(xmp.merge(source, PROVENANCE))["City"] == "Köln"


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"<x:xmpmeta", "broken XMP"),
        (b"no xml", "broken XMP"),
        (b"\xff\xfe\x00", "utf-16"),
        (b"<a/>", "0 elements rdf:RDF"),
        (BOMB, "document type"),
        (BOMB.decode().encode("utf-16"), "document type"),
        (b"<a>" * 2000 + b"</a>" * 2000, "nested deeper than 100"),
        (b" " * (xmp.MAX_BYTES + 1), "at most 16000000"),
    ],
    ids=["cut", "text", "bytes", "no-rdf", "entities", "entities-16", "deep", "large"],
)
def test_merge_refuses_broken_and_hostile_packets(source, message):
    with pytest.raises(ValueError, match=message):
        xmp.merge(source, PROVENANCE)


def test_merge_replaces_characters_xml_forbids():
    import dataclasses

    hostile = dataclasses.replace(PROVENANCE, source_name='a\0"</x>\ud800.tif')
    assert said(xmp.merge(b"", hostile))["filePath"] == 'a?"</x>?.tif'
