"""Blocks of metadata of the kinds that archives have."""

from PIL import Image, ImageCms

from photochrom.imaging.picture import Metadata

XMP = """<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?>
<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
<rdf:Description rdf:about='uuid:1' xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:own='http://archive.example/ns/'
 xmlns:tiff='http://ns.adobe.com/tiff/1.0/' xmlns:photoshop='http://ns.adobe.com/photoshop/1.0/'
 xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmlns:xmpMM='http://ns.adobe.com/xap/1.0/mm/'
 dc:format='image/x' tiff:Orientation='6' photoshop:City='Köln' own:box='7' xmpMM:DocumentID='xmp.did:first'>
<xmp:CreatorTool>Scanner 1</xmp:CreatorTool>
<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>Bread &amp; butter</rdf:li></rdf:Alt></dc:title>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>""".encode()
# Application record version, caption and a keyword.
IPTC = b"\x1c\x02\x00\x00\x02\x00\x04\x1c\x02\x78\x00\x09A caption\x1c\x02\x19\x00\x05Paris"


def exif_block(byte_order: str = "<") -> bytes:
    """An EXIF block with fields of a camera, a position and an orientation."""
    exif = Image.Exif()
    exif.endian = byte_order
    exif[274], exif[271], exif[306] = 6, "Maker", "1999:01:01 10:00:00"
    exif[282], exif[283], exif[296], exif[531] = 300.0, 300.0, 2, 1
    exif[315] = "A. Photographer"
    below = exif.get_ifd(0x8769)
    below[36864], below[40960], below[37121] = b"0230", b"0100", b"\1\2\3\0"
    below[0xA001], below[0xA002], below[0xA003] = 65535, 20, 30
    below[36867] = "1999:01:01 10:00:00"
    position = exif.get_ifd(0x8825)
    position[0], position[1], position[2] = b"\2\3\0\0", "N", (52.0, 31.0, 12.5)
    return exif.tobytes()


def rich_metadata() -> Metadata:
    return Metadata(
        exif=exif_block(),
        xmp=XMP,
        iptc=IPTC,
        icc=ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes(),
        dpi=(300.0, 300.0),
        artist="A. Photographer",
        copyright="© Müller",
        description="Straße",
    )
