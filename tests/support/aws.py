"""S3 for the tests: moto's server on loopback."""

import contextlib
from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from photochrom.storage import s3


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Runs a server while the body runs; gives its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


def use(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes an environment that leads to the server, and to nothing else of AWS."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    s3._client_of.cache_clear()
