"""An HTTP server on a free port of loopback, in threads of this process, which simulates a service."""

import http.server
import threading
from typing import Any


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers requests for its `owner`, and logs nothing."""

    protocol_version = "HTTP/1.1"
    owner: Any

    def log_message(self, format: str, *args: object) -> None:
        pass


class LoopbackServer:
    """The server; an instance of a subclass is the `owner` of its handlers.

    Attributes:
        port: on which it listens.
    """

    def __init__(self, handler: type[Handler], host: str = "127.0.0.1"):
        owned = type(handler.__name__, (handler,), {"owner": self})
        self._http = http.server.ThreadingHTTPServer((host, 0), owned)
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
