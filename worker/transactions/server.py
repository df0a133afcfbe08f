"""The endpoint's server: uvicorn, on a listener of ours, that does not wait for ever for those who send slowly."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from worker.errors import SettingsError
from worker.settings import TransactionsSettings

KEEP_ALIVE_SECONDS = 30


class Server:
    """Serves on the running event loop. Raises SettingsError when the address or a certificate cannot be had."""

    def __init__(self, app: ASGIApp, settings: TransactionsSettings, *, stop_seconds: float) -> None:
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


def _impatient(seconds: float) -> type[H11Protocol]:
    """Connections whose requests have their heads within so many seconds, or are closed (a body has its own time)."""

    class Impatient(H11Protocol):
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
