"""An HTTP server that notes all that it is sent, and answers as it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

REASON_KEPT = 4000


@dataclass(frozen=True, slots=True)
class Heard:
    """A request; names of headers in small letters."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """All of it."""
        head = "".join(f"{name}: {value}\n" for name, value in self.headers.items())
        return f"{self.path}\n{head}{self.body.decode('utf-8', 'replace')}"


@dataclass(frozen=True, slots=True)
class Said:
    """An answer. `reason` is what stands behind the status, where that is not the usual one."""

    status: int = 200
    body: bytes = b""
    reason: str | None = None


def echo(heard: Heard) -> Said:
    """No, and all that was sent, also behind the status."""
    reason = " ".join(heard.text.encode("ascii", "ignore").decode().split())[:REASON_KEPT]
    return Said(400, heard.text.encode(), reason)


class Listening:
    """On a free port, in threads. Where `answer` gives None the connection is closed; `heard` is in order."""

    def __init__(self, answer: Callable[[Heard], Said | None] = lambda _: Said()) -> None:
        self.heard: list[Heard] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.heard, answer))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.address = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.address}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(heard: list[Heard], answer: Callable[[Heard], Said | None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            now = Heard(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            heard.append(now)
            said = answer(now)
            if said is not None:
                self.send_response(said.status, said.reason)
                self.send_header("content-length", str(len(said.body)))
                self.end_headers()
                self.wfile.write(said.body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    return Handler
