"""Certificates and keys of a signer of C2PA manifests, made for tests."""

import datetime
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KEYS = {
    "es256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "es384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ps256": lambda: rsa.generate_private_key(65537, 2048),
}


def write(folder: pathlib.Path, algorithm: str = "es256", days: int = 10) -> tuple[str, str]:
    """Writes a chain of a signer and its authority, valid for some days, and the key; returns their paths."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), KEYS[algorithm]()
    root = _certificate("Test Authority", authority, authority, days, is_signer=False)
    signer = _certificate("City Archive", key, authority, days, is_signer=True)
    folder.mkdir(parents=True, exist_ok=True)
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (signer, root)))
    private.write_bytes(pem(key))
    return str(chain), str(private)


def pem(key, encryption=None) -> bytes:
    """Returns a private key as PEM."""
    plain = encryption or serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, text) for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)])


def _certificate(subject: str, key, authority, days: int, is_signer: bool) -> x509.Certificate:
    """Returns a certificate with the extensions that C2PA's profile wants (specification, 14.5)."""
    now = datetime.datetime.now(datetime.UTC)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
         "decipher_only"), False
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder(_name("Test Authority"), _name(subject), key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=30))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=not is_signer, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=not is_signer, crl_sign=not is_signer, **usage),
            critical=True,
        )
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
    )
    if is_signer:
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(purposes, critical=False)
    return builder.sign(authority, hashes.SHA256())
