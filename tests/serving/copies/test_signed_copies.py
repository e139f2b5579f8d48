"""Signed copies, read back by the library's own validator."""

import hashlib
import io
import json
import pathlib

import numpy as np
import pytest

from photochrom.imaging.sandbox.decoder import Decoder
from serving.copies import provenance
from serving.credentials.signer import Credentials
from tests.serving.copies.conftest import PROVENANCE
from tests.support import certificates
from tests.support.metadata_blocks import rich_metadata

c2pa = pytest.importorskip("c2pa", reason="the extra `c2pa` has it")


@pytest.fixture(scope="session")
def signer(tmp_path_factory) -> Credentials:
    return Credentials(*certificates.write(tmp_path_factory.mktemp("signer")))


def manifest_of(path: pathlib.Path, format: str) -> dict:
    """Returns the manifest of a copy, which has to be valid but for the trust in the test's authority."""
    with c2pa.Reader(f"image/{format.lower()}", io.BytesIO(path.read_bytes())) as reader:
        assert reader.get_validation_state() == "Valid"
        found = json.loads(reader.json())
    assert {status["code"] for status in found["validation_status"]} == {"signingCredential.untrusted"}
    return found["manifests"][found["active_manifest"]]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_signed_copy_is_valid_and_shows_the_same(write, signer, format):
    plain = write(format, metadata=rich_metadata(), name="plain")
    signed = write(format, metadata=rich_metadata(), name="signed", credentials=signer)
    assert signed.written.sha256 == hashlib.sha256(signed.path.read_bytes()).hexdigest()
    assert signed.written.sidecars.keys() == {name.replace("plain", "signed") for name in plain.written.sidecars}
    before, after = (Decoder(10**7).decode(copy.path.read_bytes()) for copy in (plain, signed))
    assert np.array_equal(before.pixels, after.pixels)
    assert (before.metadata.xmp, before.metadata.icc, before.metadata.dpi) == (
        after.metadata.xmp, after.metadata.icc, after.metadata.dpi
    )  # fmt: skip
    assert manifest_of(signed.path, format)["signature_info"]["common_name"] == "City Archive"


def test_manifest_states_action_model_and_original(write, signer):
    found = manifest_of(write("PNG", credentials=signer).path, "PNG")
    (original,) = found["ingredients"]
    assert original["relationship"] == "parentOf" and original["title"] == PROVENANCE.source_name
    assert PROVENANCE.source_sha256 in original["description"] and original["format"] == "image/png"
    ((opened, edited),) = (one["data"]["actions"] for one in found["assertions"])
    assert (opened["action"], edited["action"]) == ("c2pa.opened", "c2pa.edited")
    assert edited["digitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert edited["softwareAgent"]["name"] == "Photochrom"
    assert edited["parameters"] == {
        "org.photochrom.model": PROVENANCE.model_name, "org.photochrom.model_digest": PROVENANCE.model_digest
    }  # fmt: skip
    assert "thumbnail" not in found


def test_changed_pixel_breaks_the_signature(write, signer):
    data = bytearray(write("TIFF", credentials=signer).path.read_bytes())
    data[data.index(b"Photochrom") if b"Photochrom" in data[:2000] else 200] ^= 1
    with c2pa.Reader("image/tiff", io.BytesIO(bytes(data))) as reader:
        assert reader.get_validation_state() == "Invalid"


def test_copy_that_cannot_carry_a_manifest_gets_a_sidecar(write, signer, monkeypatch):
    monkeypatch.setitem(provenance.MEDIA_TYPES, "TIFF", "image/x-unknown")
    copy, plain = write("TIFF", credentials=signer), write("TIFF", name="plain")
    assert copy.path.read_bytes() == plain.path.read_bytes() and "beside it, in .c2pa" in copy.notes
    sidecar = copy.path.with_name(f"{copy.path.name}.c2pa").read_bytes()
    assert list(copy.written.sidecars.values()) == [hashlib.sha256(sidecar).hexdigest()]
    with c2pa.Reader("image/tiff", io.BytesIO(copy.path.read_bytes()), sidecar) as reader:
        assert reader.get_validation_state() == "Valid"
