"""The endpoint's server: uvicorn, on a listener of ours, that does not wait for ever for those who send slowly."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from worker.errors import SettingsError
from worker.settings import TransactionsSettings
from worker.transactions.answers import refused
from worker.transactions.media import JSON

KEEP_ALIVE_SECONDS = 30
GOODBYE_SECONDS = 1.0
NO_HTTP = refused(400, "http", "the request is not HTTP/1.1")


class Server:
    """Serves on the running event loop. Raises SettingsError when the address or a certificate cannot be had."""

    def __init__(self, app: ASGIApp, settings: TransactionsSettings, *, stop_seconds: float) -> None:
        if settings.key_location is not None and settings.certificate_location is None:
            raise SettingsError(
                ["WORKER_TRANSACTIONS__CERTIFICATE_LOCATION is not set, and WORKER_TRANSACTIONS__KEY_LOCATION is"]
            )
        try:
            self._listener = socket.create_server((settings.host, settings.port), backlog=1024)
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            raise SettingsError([f"WORKER_TRANSACTIONS__PORT: {where} cannot be had ({error.strerror})"]) from None
        config = uvicorn.Config(
            app,
            http=_impatient(settings.read_seconds),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(stop_seconds)),
            ssl_certfile=settings.certificate_location,
            ssl_keyfile=settings.key_location,
        )
        try:
            config.load()
        except (OSError, ValueError) as error:
            self._listener.close()
            said = f"cannot be read ({type(error).__name__})"
            raise SettingsError([f"WORKER_TRANSACTIONS__CERTIFICATE_LOCATION, __KEY_LOCATION: {said}"]) from None
        self._server = _Server(config)
        self.serving = asyncio.get_running_loop().create_task(self._server.serve(sockets=[self._listener]))

    async def close(self) -> None:
        """Takes no more, lets those under way come to their end, within the time that it was given."""
        self._server.should_exit = True
        await asyncio.wait({self.serving})


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are ours


class _Connection(H11Protocol):
    """Says what is wrong as all else of the endpoint does, and does not outlive it."""

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - told in the form of all errors
        """What came is not HTTP. Behind an answer nothing more can be said: the connection is closed."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [
                ("content-type", JSON),
                ("content-length", str(len(NO_HTTP.content))),
                ("connection", "close"),
            ]
            for event in (
                h11.Response(status_code=NO_HTTP.status, headers=headers, reason=b"Bad Request"),
                h11.Data(data=NO_HTTP.content),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def shutdown(self) -> None:
        """One that is idle is not waited for: over TLS its other side may never say goodbye."""
        super().shutdown()
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(GOODBYE_SECONDS, self.transport.abort)


def _impatient(seconds: float) -> type[H11Protocol]:
    """Connections whose requests have their heads within so many seconds, or are closed (a body has its own time)."""

    class Impatient(_Connection):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._late: asyncio.TimerHandle | None = None
            self._expect()

        def data_received(self, data: bytes) -> None:
            self._expect()
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._expected()

        def connection_lost(self, exc: Exception | None) -> None:
            self._expected()
            super().connection_lost(exc)

        def _expect(self) -> None:
            if self._late is None and (self.cycle is None or self.cycle.response_complete):
                self._late = self.loop.call_later(seconds, self.transport.close)

        def _expected(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

    return Impatient
