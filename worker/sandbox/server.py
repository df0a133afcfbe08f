"""The sandbox on a port, by uvicorn: in the foreground until a signal, or in a thread of this process."""

import asyncio
import contextlib
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from worker.sandbox.answers import ABORT
from worker.sandbox.app import Settings, create_app

# Linger on, for no time: closing sends a reset, and what was not sent yet is dropped.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
GRACE_SECONDS = 1


class _Protocol(H11Protocol):
    """Lets the application cut its connection: `scope["extensions"]["rokt_worker.abort"]["abort"]()`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = self.app

        def abort() -> None:
            if transport.is_closing():  # the client did not wait for it
                return
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            transport.abort()

        async def abortable(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})[ABORT] = {"abort": abort}
            await app(scope, receive, send)

        self.app = abortable

    def shutdown(self) -> None:
        # A request of which a part never comes would hold up the end.
        if self.cycle is not None and self.cycle.more_body:
            self.transport.abort()
        else:
            super().shutdown()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, closing: asyncio.Event, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._closing = closing
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Before uvicorn waits for open connections: an ordered time-out would hold it up.
        self._closing.set()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own raises the signal again at the end; here a signal is a request to stop, answered by exit 0.
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(_: int, __: FrameType | None) -> None:
            self.should_exit = True

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(settings: Settings, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT; port 0 takes a free one. `on_ready` gets the base URL once it listens.

    Raises OSError when the address cannot be had.
    """
    listener = _listen(host, port)
    _server(settings, lambda: on_ready(_url(listener))).run(sockets=[listener])


class RunningSandbox:
    """A sandbox in a thread of this process; `url` is its base URL. A context manager that stops it at the end."""

    def __init__(self, url: str, server: uvicorn.Server, thread: threading.Thread) -> None:
        self.url = url
        self._server = server
        self._thread = thread

    def stop(self) -> None:
        """Stops and waits for the end, well under two seconds; again is harmless."""
        self._server.should_exit = True
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start_sandbox(settings: Settings | None = None, *, host: str = "127.0.0.1", port: int = 0) -> RunningSandbox:
    """Starts a sandbox in a thread and returns when it listens; port 0 takes a free one.

    Raises OSError when the address cannot be had, RuntimeError when the server does not come up.
    """
    listener = _listen(host, port)
    url = _url(listener)
    ready = threading.Event()
    server = _server(settings or Settings(), ready.set)

    def run() -> None:
        try:
            server.run(sockets=[listener])
        finally:
            # Also when it never came up: else the caller would wait for ever.
            ready.set()

    thread = threading.Thread(target=run, name="sandbox", daemon=True)
    thread.start()
    ready.wait()
    if not server.started:
        raise RuntimeError("The sandbox did not start")
    return RunningSandbox(url, server, thread)


def _server(settings: Settings, on_ready: Callable[[], None]) -> _Server:
    closing = asyncio.Event()
    config = uvicorn.Config(
        create_app(settings, closing=closing),
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return _Server(config, closing, on_ready)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
