"""Signs a file with a C2PA manifest, in the file or beside it, by the library of the Content Authenticity Initiative.

The library draws random salts and identifiers, so the bytes of signed files differ from run to run. Private keys are
read where files are signed: they are part of no row, message or pipeline.
"""

import dataclasses
import functools
import io
import json
from typing import IO, Any

import numpy as np
from PIL import Image

from photochrom import errors
from photochrom.storage import files

SUFFIX = ".c2pa"
_MOST_BYTES = 1 << 20  # of a certificate chain or a key
# No thumbnail: the file is the picture. No requests to other machines.
_SETTINGS = {"builder": {"thumbnail": {"enabled": False}}, "verify": {"remote_manifest_fetch": False}}
# A file of this type is not parsed: the manifest is bound to all its bytes.
_ANY_TYPE = "application/octet-stream"
_CURVES = {256: "es256", 384: "es384", 521: "es512"}
# A manifest for the check of a certificate.
_TRIAL = {"assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [{
    "action": "c2pa.created", "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation",
}]}}]}  # fmt: skip
_NO_LIBRARY = "--c2pa_cert needs the package c2pa-python on all workers: pip install 'photochrom[c2pa]'"


@dataclasses.dataclass(frozen=True)
class Credentials:
    """The paths of a signer's certificate chain and private key, both PEM."""

    certificate: str
    key: str

    def check(self) -> None:
        """Signs a small picture.

        Raises:
            UsageError: the library is missing, a file cannot be read, or no valid signature can be made with them.
        """
        picture = io.BytesIO()
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(picture, "PNG")
        try:
            self.sign(picture, io.BytesIO(), "image/png", _TRIAL)
        except (OSError, errors.DataError) as error:
            raise errors.UsageError(f"--c2pa_cert {self.certificate} with --c2pa_key {self.key}: {error}") from error

    def sign(self, source: IO[bytes], target: IO[bytes], media_type: str, manifest: dict[str, Any]) -> bytes:
        """Writes a file with its manifest; returns b"", or the signed manifest of a file that cannot carry one.

        Args:
            source: the file.
            target: empty, readable and seekable.
            media_type: of the file.
            manifest: definition of the manifest, as the library takes it.

        Raises:
            DataError: it cannot be signed.
            UsageError: the library is missing.
        """
        c2pa = _library()
        try:
            with _signer(self) as signer, _context() as context:
                source.seek(0)
                try:
                    with c2pa.Builder.from_json(json.dumps(manifest), context) as builder:
                        builder.sign(signer, media_type, source, target)
                    return b""
                except c2pa.C2paError as error:
                    builder = c2pa.Builder.from_json(json.dumps(manifest), context)
                    return _beside(builder, signer, source, target, error)
        except c2pa.C2paError as error:
            raise _unusable(f"the file cannot be signed: {str(error)[:300]}") from None


def _beside(builder: Any, signer: Any, source: IO[bytes], target: IO[bytes], error: Exception) -> bytes:
    """Returns the manifest of a file that has no place for it; raises the error if signing itself failed."""
    source.seek(0)
    target.seek(0)
    target.truncate()
    with builder:
        builder.set_no_embed()
        manifest: bytes = builder.sign(signer, _ANY_TYPE, source, target)
    if not manifest:
        raise error
    return manifest


def _library() -> Any:
    try:
        import c2pa
    except ImportError as error:
        raise errors.UsageError(_NO_LIBRARY) from error
    return c2pa


def _context() -> Any:
    c2pa = _library()
    return c2pa.Context(c2pa.Settings.from_dict(_SETTINGS))


def _signer(credentials: Credentials) -> Any:
    c2pa = _library()
    certificate, key, algorithm = _read(credentials)
    return c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, certificate, key, None))


@functools.lru_cache(1)
def _read(credentials: Credentials) -> tuple[bytes, bytes, str]:
    """Returns the certificate chain, the key as PKCS 8, and the name of the signature's algorithm."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        key = serialization.load_pem_private_key(_content(credentials.key), None)
    except (ValueError, TypeError) as error:  # without its text: it might quote the file
        raise _unusable("the key is encrypted, or no private key in PEM") from error
    algorithm = (
        _CURVES.get(key.curve.key_size, "") if isinstance(key, ec.EllipticCurvePrivateKey)
        else "ed25519" if isinstance(key, ed25519.Ed25519PrivateKey)
        else "ps256" if isinstance(key, rsa.RSAPrivateKey)
        else ""
    )  # fmt: skip
    if not algorithm:
        raise _unusable("the key is of a kind that C2PA does not allow; expected P-256, P-384, P-521, Ed25519 or RSA")
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return _content(credentials.certificate), key.private_bytes(serialization.Encoding.PEM, *plain), algorithm


def _content(path: str) -> bytes:
    data = bytes(files.read_range(path, 0, _MOST_BYTES))
    if b"\0" in data:
        raise _unusable(f"{path} is no PEM file")
    return data


def _unusable(text: str) -> errors.DataError:
    return errors.DataError(text, "unsigned", "sign")
