"""The connection to Google Cloud Storage: one client a process, its credentials, and one-line errors.

STORAGE_EMULATOR_HOST selects an emulator, without credentials. Otherwise they are found as Google's own libraries do
(Application Default Credentials), but their absence is reported within seconds.
"""

import contextlib
import http.client
import os
import pathlib
import threading
from collections.abc import Iterator
from typing import Any

import google.auth
import requests
from google.api_core import exceptions
from google.auth import credentials as auth_credentials
from google.auth import environment_vars
from google.auth import exceptions as auth_exceptions
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage
from google.cloud.storage import exceptions as storage_exceptions

from photochrom import errors
from photochrom.storage import gcs_retry

SCHEME = "gs://"
# The permission, and the predefined role, that each kind of request needs.
READ = "storage.objects.get (role Storage Object Viewer)"
LIST = "storage.objects.list (role Storage Object Viewer)"
WRITE = "storage.objects.create, and storage.objects.delete to write again (role Storage Object User)"
DELETE = "storage.objects.delete (role Storage Object User)"

_EMULATOR = "STORAGE_EMULATOR_HOST"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
# Threads of a process that may hold a connection; more of them work too, but connect each time.
_CONNECTIONS = 64
# Google's own probe takes three tries of 3 s, by a name whose failed lookup may take 20 s.
_METADATA_ADDRESS = "169.254.169.254"
_METADATA_SECONDS = 1.5
_PRODUCT_NAME = pathlib.Path("/sys/class/dmi/id/product_name")
_lock = threading.Lock()
_clients: dict[tuple[int, str], storage.Client] = {}


class Overtaken(OSError):
    """The generation to be overwritten no longer exists."""


def split(path: str) -> tuple[str, str]:
    """Returns bucket and object name of gs://BUCKET/NAME; the name may be empty."""
    bucket, _, name = path.removeprefix(SCHEME).partition("/")
    return bucket, name


def client() -> storage.Client:
    """Returns this process's client, for all its threads; a forked process makes its own.

    Raises:
        NoCredentials: there are none.
    """
    key = (os.getpid(), os.environ.get(_EMULATOR, ""))
    with _lock:
        if key not in _clients:
            _clients[key] = _make_client(emulated=bool(key[1]))
        return _clients[key]


def _make_client(emulated: bool) -> storage.Client:
    # Else the library requests the bucket's location, for unused traces: a permission that few accounts have.
    os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    credentials, project = (auth_credentials.AnonymousCredentials(), None) if emulated else _default_credentials()
    session = AuthorizedSession(credentials)
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=_CONNECTIONS)
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter)
    return storage.Client(project=project, credentials=credentials, _http=session)


def _forget_clients() -> None:
    """Drops the clients in a forked process, which shares no connection; a thread it lacks may have held the lock."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    _clients.clear()


os.register_at_fork(after_in_child=_forget_clients)


def _default_credentials() -> tuple[Any, str | None]:
    missing = (
        "no Google Cloud credentials found; set GOOGLE_APPLICATION_CREDENTIALS to a key or a workload identity file, "
        "run `gcloud auth application-default login`, or use a machine with a service account"
    )
    if not _has_credentials_file() and not _is_on_google_cloud():
        raise errors.NoCredentials(missing)
    try:
        return google.auth.default(scopes=[_SCOPE])
    except auth_exceptions.DefaultCredentialsError as error:
        raise errors.NoCredentials(f"{missing} ({error})") from error


def _has_credentials_file() -> bool:
    if os.environ.get(environment_vars.CREDENTIALS) or os.environ.get(environment_vars.GCE_METADATA_HOST):
        return True
    folder = os.environ.get(environment_vars.CLOUD_SDK_CONFIG_DIR) or os.path.expanduser("~/.config/gcloud")
    return os.path.exists(os.path.join(folder, "application_default_credentials.json"))


def _is_on_google_cloud() -> bool:
    """Whether a metadata server answers at once, or the machine's product name is Google's (its pods may start late).

    Source: https://cloud.google.com/compute/docs/instances/detect-compute-engine
    """
    with contextlib.suppress(OSError):
        if _PRODUCT_NAME.read_text().startswith("Google"):
            return True
    if os.environ.get(environment_vars.NO_GCE_CHECK) == "true":
        return False
    address = os.environ.get(environment_vars.GCE_METADATA_IP, _METADATA_ADDRESS)
    connection = http.client.HTTPConnection(address, timeout=_METADATA_SECONDS)
    for _ in range(2):
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", "/", headers={"Metadata-Flavor": "Google"})
            return connection.getresponse().headers.get("Metadata-Flavor") == "Google"
    return False


@contextlib.contextmanager
def explained(path: str, need: str) -> Iterator[None]:
    """Turns errors of Google's libraries into OSErrors with one line.

    Args:
        path: the object or folder of the request.
        need: the permission for it.

    Raises:
        FileNotFoundError: it is missing; a NoBucket if the bucket is.
        PermissionError: a Denied or a NoCredentials.
        OSError: anything else, after all tries.
    """
    try:
        yield
    except storage_exceptions.InvalidResponse as error:
        status = error.response.status_code
        raise _translated(exceptions.from_http_status(status, error.response.text[:200]), path, need) from error
    except (exceptions.GoogleAPIError, auth_exceptions.GoogleAuthError, storage_exceptions.DataCorruption) as error:
        raise _translated(error, path, need) from error


def _translated(error: Exception, path: str, need: str) -> OSError:
    bucket, _ = split(path)
    said = " ".join(str(getattr(error, "message", "") or error).split())[:300]
    if isinstance(error, exceptions.NotFound):
        if "bucket does not exist" in said:
            return errors.NoBucket(f"there is no bucket gs://{bucket}; check its name, or create it")
        return FileNotFoundError(f"{path} is not there")
    if isinstance(error, exceptions.Forbidden):
        return errors.Denied(
            f"access to gs://{bucket} is denied: {path} needs {need}; have it granted, or use other credentials"
        )
    if isinstance(error, exceptions.Unauthorized | auth_exceptions.GoogleAuthError):
        return errors.NoCredentials(
            f"gs://{bucket} does not accept the credentials: {said}; log in again or use others"
        )
    if isinstance(error, exceptions.RetryError):
        last = " ".join(str(error.cause).split())[:300]
        return TimeoutError(f"{path}: given up after {gcs_retry.RETRY.timeout:g} s of tries; the last one: {last}")
    kind = Overtaken if isinstance(error, exceptions.PreconditionFailed) else OSError
    return kind(f"{path}: {type(error).__name__}: {said}")
