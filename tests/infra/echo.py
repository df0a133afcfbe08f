"""A server that says no to everything, with all that it was sent: its answers quote headers and bodies."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

REASON_KEPT = 4000


class Echo:
    """On a free port, in threads. `heard`: each request as it came, its first line, its headers and its body."""

    def __init__(self, status: int = 400) -> None:
        self.heard: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.heard, status))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(heard: list[str], status: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode("utf-8", "replace")
            heard.append(f"{self.requestline}\n{self.headers}{body}")
            said = heard[-1].encode()
            self.send_response(status, " ".join(heard[-1].encode("ascii", "ignore").decode().split())[:REASON_KEPT])
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    return Handler
