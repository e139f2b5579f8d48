"""A bucket for the tests: the emulator of PyPI's gcp-storage-emulator, behind an HTTP proxy with planned failures.

The emulator holds the objects, parses uploads and lists. The proxy adds features of Google's documentation that the
emulator lacks: requests for a generation, preconditions, pages and fields of listings, ranges with their headers,
repeated chunks. It also simulates failures of the network by a plan: see `Fault`.
"""

import contextlib
import http.client
import http.server
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator

from tests.support.loopback import Handler, LoopbackServer

# Kinds of failures, beside a status such as "503": the connection is reset before or after the request is processed,
# the answer is truncated, or one bit of an upload or a download is flipped.
RESET, LOST, CUT, FLIPPED = "reset", "lost", "cut", "flipped"
_OBJECT = re.compile(r"^(?:/download)?/storage/v1/b/([^/]+)/o/([^/]+)$")
_LIST = re.compile(r"^/storage/v1/b/([^/]+)/o$")
_UPLOAD = re.compile(r"^/upload/storage/v1/b/([^/]+)/o$")


class Request:
    """A received request, from which the plan of faults decides.

    Attributes:
        method, target, path, query: as in HTTP; the query has the last value of each name.
        number: counted over all requests, from 1.
        status: the answer's, 0 for none.
        try_number: repetitions of this request, from 1: same method, path, upload session and end of range.
    """

    def __init__(self, handler: http.server.BaseHTTPRequestHandler):
        self.method, self.target, self.headers = handler.command, handler.path, dict(handler.headers.items())
        parts = urllib.parse.urlsplit(self.target)
        self.path = parts.path
        self.query = {name: values[-1] for name, values in urllib.parse.parse_qs(parts.query).items()}
        self.body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.number = self.try_number = self.status = 0

    @property
    def identity(self) -> tuple[str, ...]:
        wanted = (self.query.get(name, "") for name in ("upload_id", "name", "pageToken", "prefix"))
        name = re.search(rb'"name": "([^"]*)"', self.body[:1000])
        given = {key.lower(): value for key, value in self.headers.items()}
        more = (
            given.get("range", "").rpartition("-")[2],
            given.get("content-range", ""),
            name.group(1).decode() if name else "",
        )
        return (self.method, self.path, *wanted, *more)


Answer = tuple[int, dict[str, str], bytes]
Fault = Callable[[Request], str | None]


def every(k: int, *kinds: str) -> Fault:
    """Lets every k-th request fail, by each kind in turn."""
    return lambda request: None if request.number % k else kinds[request.number // k % len(kinds)]


def first(n: int, kind: str, method: str = "") -> Fault:
    """Lets the first n tries of each request fail, of one method or of all."""
    return lambda request: kind if request.try_number <= n and method in ("", request.method) else None


class BucketServer(LoopbackServer):
    """The proxy.

    Attributes:
        address: value for STORAGE_EMULATOR_HOST.
        fault: returns the kind of failure of a request; None for no failure.
        delay: latency of each answer, seconds.
        trickle: bytes after which an answer's body pauses for a millisecond, 0 for none.
        requests: received since the last `clear`.
    """

    def __init__(self, emulator_port: int, host: str = "127.0.0.1"):
        self._emulator_port = emulator_port
        self._lock = threading.Lock()
        self._finished: dict[str, bytes] = {}
        self._conditions: dict[str, tuple[str, str]] = {}  # session -> name of the object, requested generation
        self.clear()
        super().__init__(_Handler, host)
        self.address = f"http://{host}:{self.port}"

    def clear(self) -> None:
        self.fault: Fault = lambda request: None
        self.delay, self.trickle = 0.0, 0
        self.requests: list[Request] = []
        self._tries: Counter[tuple[str, ...]] = Counter()

    def make_bucket(self, name: str) -> str:
        body, headers = json.dumps({"name": name}).encode(), {"Content-Type": "application/json"}
        self._ask("POST", "/storage/v1/b?project=p", body, headers)
        return f"gs://{name}"

    def counts(self) -> Counter[str]:
        """Returns the number of requests by method."""
        return Counter(request.method for request in self.requests)

    def count(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)
            self._tries[request.identity] += 1
            request.number, request.try_number = len(self.requests), self._tries[request.identity]

    def answer(self, request: Request) -> Answer:
        with self._lock:  # one request at a time, like the emulator, so that a condition holds until its write is done
            if request.method == "GET" and (match := _LIST.match(request.path)):
                return self._list(request, match.group(1))
            if match := _OBJECT.match(request.path):
                return self._object(request, *match.groups())
            if match := _UPLOAD.match(request.path):
                return self._upload(request, match.group(1))
            return self._pass(request)

    def _list(self, request: Request, bucket: str) -> Answer:
        asked = {name: value for name, value in request.query.items() if name in ("prefix", "delimiter")}
        status, _, body = self._ask("GET", f"{request.path}?{urllib.parse.urlencode(asked)}")
        if status == 404:
            return _error(404, "The specified bucket does not exist.")
        items = sorted(json.loads(body)["items"], key=lambda item: item["name"].encode())
        after, size = request.query.get("pageToken", ""), int(request.query.get("maxResults", 1000))
        items = [item for item in items if item["name"] > after]
        page = {"items": items[:size], **({"nextPageToken": items[size - 1]["name"]} if len(items) > size else {})}
        if fields := re.match(r"items\((.*?)\)", request.query.get("fields", "")):
            page["items"] = [{name: item[name] for name in fields.group(1).split(",")} for item in page["items"]]
        return _json(page)

    def _object(self, request: Request, bucket: str, name: str) -> Answer:
        found = self._metadata(bucket, name)
        generation = found["generation"] if found else "0"
        if request.query.get("generation", generation) != generation or not found:
            return self._not_found(bucket, name)
        if request.query.get("ifGenerationMatch", generation) != generation:
            return _error(412, "At least one of the pre-conditions you specified did not hold.")
        return self._media(request, found) if request.query.get("alt") == "media" else self._pass(request)

    def _media(self, request: Request, found: dict) -> Answer:
        target = f"/download/storage/v1/b/{found['bucket']}/o/{urllib.parse.quote(found['name'], safe='')}?alt=media"
        _, _, content = self._ask("GET", target)
        headers = {
            "X-Goog-Generation": found["generation"],
            "X-Goog-Hash": f"crc32c={found['crc32c']},md5={found['md5Hash']}",
            "X-Goog-Stored-Content-Length": str(len(content)),
        }
        if match := re.match(r"bytes=(\d+)-(\d*)", request.headers.get("range", request.headers.get("Range", ""))):
            start, end = int(match.group(1)), min(int(match.group(2) or 1 << 62), len(content) - 1)
            if start > end:
                return 416, {"Content-Range": f"bytes */{len(content)}"}, b""
            return 206, {**headers, "Content-Range": f"bytes {start}-{end}/{len(content)}"}, content[start : end + 1]
        return 200, headers, content

    def _upload(self, request: Request, bucket: str) -> Answer:
        session = request.query.get("upload_id", "")
        if request.method == "PUT":
            return self._chunk(request, bucket, session)
        if request.method == "DELETE":  # a session is abandoned
            return 204, {}, b""
        condition = request.query.get("ifGenerationMatch", "")
        name = request.query.get("name") or re.search(rb'"name": "([^"]*)"', request.body).group(1).decode()
        found = self._metadata(bucket, urllib.parse.quote(name, safe="")) or {"generation": "0"}
        if condition and condition != found["generation"]:
            return _error(412, "At least one of the pre-conditions you specified did not hold.")
        status, headers, body = self._pass(request)
        if condition and (found := re.search(r"upload_id=([^&]*)", headers.get("Location", ""))):
            self._conditions[urllib.parse.unquote_plus(found.group(1))] = (urllib.parse.quote(name, safe=""), condition)
        return self._not_found(bucket, "") if status == 404 else (status, headers, body)

    def _chunk(self, request: Request, bucket: str, session: str) -> Answer:
        """Skips repeated bytes of a chunk, and answers for a finished session with its object again."""
        if session in self._finished:
            return _json(json.loads(self._finished[session]))
        if match := re.match(r"bytes (\d+)-(\d+)/(.*)", request.headers.get("content-range", "")):
            start, end, total = int(match.group(1)), int(match.group(2)), match.group(3)
            name, condition = self._conditions.get(session, ("", ""))
            there = (self._metadata(bucket, name) or {"generation": "0"})["generation"] if condition else ""
            if total != "*" and condition != there:
                return _error(412, "At least one of the pre-conditions you specified did not hold.")
            _, held, _ = self._ask("PUT", request.target, b"", {"Content-Range": "bytes */*"})
            there = int(held.get("Range", "bytes=0-0").rpartition("-")[2])
            there = there + 1 if there else 0
            if start < there:
                request.body = request.body[there - start :]
                request.headers["content-range"] = f"bytes {there}-{end}/{total}"
                if not request.body and total == "*":
                    return 308, {"Range": f"bytes=0-{there - 1}"}, b""
        status, headers, body = self._pass(request)
        if status == 200:
            self._finished[session] = body
        return status, headers, body

    def _metadata(self, bucket: str, name: str) -> dict | None:
        status, _, body = self._ask("GET", f"/storage/v1/b/{bucket}/o/{name}")
        return json.loads(body) if status == 200 else None

    def _not_found(self, bucket: str, name: str) -> Answer:
        has_bucket = self._ask("GET", f"/storage/v1/b/{bucket}")[0] == 200
        return _error(404, f"No such object: {bucket}/{name}" if has_bucket else "The specified bucket does not exist.")

    def _pass(self, request: Request) -> Answer:
        return self._ask(request.method, request.target, request.body, request.headers)

    def _ask(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._emulator_port, timeout=60)
        with contextlib.closing(connection):
            passed = {
                key: value
                for key, value in (headers or {}).items()
                if key.lower() not in ("connection", "content-length")
            }
            connection.request(method, target, body, passed)
            try:
                answer = connection.getresponse()
            except http.client.RemoteDisconnected:
                return _error(400, "the emulator cannot do that")
            return answer.status, dict(answer.headers.items()), answer.read()


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :] if data else data


def _json(value: dict) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _error(status: int, message: str) -> Answer:
    body = json.dumps({"error": {"code": status, "message": message}}).encode()
    return status, {"Content-Type": "application/json"}, body


class _Handler(Handler):
    disable_nagle_algorithm = True
    owner: BucketServer

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:  # the client closed the connection
            self.close_connection = True

    def _serve(self) -> None:
        request = Request(self)
        self.owner.count(request)
        time.sleep(self.owner.delay)
        kind = self.owner.fault(request)
        if kind == RESET:
            return self._reset()
        if kind and kind.isdigit():
            request.status = int(kind)
            return self._send(_error(int(kind), "as planned"))
        if kind == FLIPPED:
            request.body = _flipped(request.body)
        answer = self.owner.answer(request)
        request.status = answer[0]
        if kind == FLIPPED and request.query.get("alt") == "media":
            answer = (*answer[:2], _flipped(answer[2]))
        if kind == LOST:
            return self._reset()
        return self._send(answer, is_cut=kind == CUT)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _send(self, answer: Answer, is_cut: bool = False) -> None:
        status, headers, body = answer
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "server", "date", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        sent = body[: len(body) // 2] if is_cut else body
        step = self.owner.trickle or max(len(sent), 1)
        for i in range(0, len(sent), step):
            self.wfile.write(sent[i : i + step])
            if self.owner.trickle:
                self.wfile.flush()
                time.sleep(0.001)
        if is_cut:
            self._reset() if not body else self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True


@contextlib.contextmanager
def running(host: str = "127.0.0.1") -> Iterator[BucketServer]:
    """Starts the emulator in a separate process, and the proxy in this one at an address of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host=127.0.0.1", f"--port={port}", "-q", "-M"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as emulator:
        try:
            _wait_for(port, emulator)
            server = BucketServer(port, host)
            yield server
            server.close()
        finally:
            emulator.send_signal(signal.SIGKILL)


@contextlib.contextmanager
def in_use() -> Iterator[BucketServer]:
    """Starts both, and directs clients of Google Cloud Storage in this process and its children to the proxy."""
    with running() as server:
        os.environ["STORAGE_EMULATOR_HOST"] = server.address
        try:
            yield server
        finally:
            del os.environ["STORAGE_EMULATOR_HOST"]


def _wait_for(port: int, emulator: subprocess.Popen) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and emulator.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError("the emulator of gcp-storage-emulator did not start")
