import io
import pathlib
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import serialization

from photochrom import errors
from serving.credentials.signer import Credentials
from tests.serving.copies.conftest import PROVENANCE
from tests.support import certificates

c2pa = pytest.importorskip("c2pa", reason="the extra `c2pa` has it")
MANIFEST = PROVENANCE.c2pa_manifest("PDF")


@pytest.mark.parametrize("algorithm", certificates.KEYS)
def test_usual_kinds_of_keys_sign(tmp_path, algorithm):
    Credentials(*certificates.write(tmp_path, algorithm)).check()


def test_bytes_without_a_place_for_it_get_a_manifest_beside(tmp_path):
    signer, data = Credentials(*certificates.write(tmp_path)), b"no picture that the library can parse"
    manifest = signer.sign(io.BytesIO(data), io.BytesIO(), "image/png", MANIFEST)
    for content, state in ((data, "Valid"), (data + b"!", "Invalid")):
        with c2pa.Reader("application/octet-stream", io.BytesIO(content), manifest) as reader:
            assert reader.get_validation_state() == state


def encrypted(chain: str, key: str) -> None:
    loaded = serialization.load_pem_private_key(pathlib.Path(key).read_bytes(), None)
    pathlib.Path(key).write_bytes(certificates.pem(loaded, serialization.BestAvailableEncryption(b"secret")))


def of_another(chain: str, key: str) -> None:
    pathlib.Path(key).write_bytes(certificates.pem(certificates.KEYS["es256"]()))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda chain, key: pathlib.Path(key).unlink(), "No such file"),
        (lambda chain, key: pathlib.Path(key).write_text("no key"), "no private key in PEM"),
        (encrypted, "the key is encrypted"),
        (lambda chain, key: pathlib.Path(chain).write_text("no chain"), "cannot be signed"),
        (of_another, "cannot be signed"),
    ],
    ids=["missing", "no key", "encrypted", "no certificate", "of another certificate"],
)
def test_unusable_files_are_refused_before_any_work(tmp_path, spoil, words):
    chain, key = certificates.write(tmp_path)
    spoil(chain, key)
    with pytest.raises(errors.UsageError, match=words) as caught:
        Credentials(chain, key).check()
    assert "PRIVATE KEY" not in str(caught.value)


def test_expired_certificate_is_refused(tmp_path):
    with pytest.raises(errors.UsageError, match="cannot be signed"):
        Credentials(*certificates.write(tmp_path, days=-5)).check()


def test_missing_library_is_named():
    code = (
        "import sys; sys.modules['c2pa'] = None\n"
        "from serving.credentials.signer import Credentials\n"
        "try: Credentials('a', 'b').check()\n"
        "except ValueError as error: sys.exit(str(error))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert "pip install 'photochrom[c2pa]'" in done.stderr
