from xml.etree import ElementTree

import pytest

from serving.copies import xmp
from serving.copies.frame import Frame
from tests.serving.copies.conftest import PROVENANCE
from tests.support.metadata_blocks import XMP

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def merged(source: bytes) -> bytes:
    return xmp.merge(source, PROVENANCE, Frame(30, 20))[0]


def said(packet: bytes) -> dict[str, str]:
    """Local name -> text, of elements and attributes."""
    values = {}
    for element in ElementTree.fromstring(packet).iter():
        values |= {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
        values[element.tag.rpartition("}")[2]] = (element.text or "").strip()
    return values


def test_merge_writes_provenance():
    values = said(xmp.ours(PROVENANCE))
    assert values["DigitalSourceType"].endswith("/digitalsourcetype/compositeWithTrainedAlgorithmicMedia")
    assert (values["AISystemUsed"], values["AISystemVersionUsed"]) == ("Photochrom, model a <b> & c", "sha256:12")
    assert (values["documentID"], values["filePath"]) == (f"sha256:{'34' * 32}", "scan ü.tif")
    assert values["CreatorTool"].startswith("Photochrom ")
    assert values["ModifyDate"] == values["MetadataDate"] == "2026-01-31"


def test_merge_keeps_the_archives_properties():
    packet = merged(XMP)
    values = said(packet)
    assert (values["City"], values["box"], values["li"]) == ("Köln", "7", "Bread & butter")
    assert values["CreatorTool"].startswith("Photochrom ") and b"Scanner" not in packet
    assert b'xmlns:own="http://archive.example/ns/"' in packet  # with its prefix


def test_merge_removes_properties_of_the_original_pixels():
    values = said(merged(XMP))
    assert not {"Orientation", "format", "DocumentID"} & set(values)
    assert values["originalDocumentID"] == "xmp.did:first"


def test_merge_keeps_one_subject():
    packet = merged(XMP)
    abouts = [e.get(f"{{{RDF}}}about") for e in ElementTree.fromstring(packet).iter(f"{{{RDF}}}Description")]
    assert abouts == ["uuid:1", "uuid:1"]


def test_merge_twice_has_one_of_each():
    once = merged(XMP)
    assert merged(once).count(b"<xmp:CreatorTool>") == 1


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_merge_reads_any_encoding(encoding):
    source = XMP.decode().partition("?>")[2].strip().encode(encoding)
    assert said(merged(source))["City"] == "Köln"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("padding", [b"", b"\0", b"\0\0\0"])
def test_merge_reads_padded_packets_whole(encoding, padding):
    source = XMP.decode().partition("?>")[2].strip().encode(encoding) + padding
    packet = merged(source)
    assert said(packet)["City"] == "Köln" and packet.decode("utf-8")


def test_merge_moves_places_with_the_pixels():
    source = XMP.replace(b"own:box='7'", b"tiff:XResolution='204/1' tiff:YResolution='98/1'")
    values = said(xmp.merge(source, PROVENANCE, Frame(30, 20, 6))[0])
    assert (values["XResolution"], values["YResolution"]) == ("98/1", "204/1")


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"<x:xmpmeta", "broken XMP"),
        (b"no xml", "broken XMP"),
        (b"\xff\xfe\x00\xd8", "utf-16"),
        (b"<a/>", "0 elements rdf:RDF"),
        (BOMB, "document type"),
        (BOMB.decode().encode("utf-16"), "document type"),
        (b"<a>" * 2000 + b"</a>" * 2000, "nested deeper than 100"),
        (b"<a>" + b"<b/>" * 50_001 + b"</a>", "more than 50000 elements"),
        (b"<a>" + b"<!-- -->" * 50_001 + b"</a>", "more than 50000 elements"),
        (b"<a>" + b"<?a b?>" * 50_001 + b"</a>", "more than 50000 elements"),
        (b"<a>" + b"<![CDATA[b]]>" * 50_001 + b"</a>", "more than 50000 elements"),
        (b" " * (xmp.MAX_BYTES + 1), "at most 16000000"),
    ],
    ids=["cut", "text", "bytes", "no-rdf", "entities", "entities-16", "deep", "elements", "comments", "instructions",
         "sections", "large"],
)  # fmt: skip
def test_merge_refuses_broken_and_hostile_packets(source, message):
    with pytest.raises(ValueError, match=message):
        merged(source)


def test_merge_replaces_characters_xml_forbids():
    import dataclasses

    hostile = dataclasses.replace(PROVENANCE, source_name='a\0"</x>\ud800.tif')
    assert said(xmp.ours(hostile))["filePath"] == 'a?"</x>?.tif'
