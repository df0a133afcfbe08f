"""What a probe asks: is it alive, is it ready, what holds it up, in JSON; `/metrics` for Prometheus; `/` for people.

`/livez`: the consumer's thread turns. `/readyz`: it has joined the group, brokers and the ledger answer, Rokt takes the
credentials; an outage of Rokt does not count. Both name the stalled partitions.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from worker.errors import SettingsError
from worker.state import State
from worker.unready import unready

ALIVE_SECONDS = 60.0
PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}


def application(
    state: Callable[[], State], metrics: Callable[[], Awaitable[bytes]], page: Callable[[State], str]
) -> Starlette:
    """The answers as an ASGI application; `metrics` gives the text that Prometheus reads, `page` what people do."""

    async def at_a_glance(_: Request) -> HTMLResponse:
        return HTMLResponse(page(state()), headers=PAGE_HEADERS)

    async def livez(_: Request) -> JSONResponse:
        now = state()
        alive = now.idle_seconds < ALIVE_SECONDS
        return JSONResponse(_body(now, [] if alive else ["the consumer's thread hangs"]), 200 if alive else 503)

    async def readyz(_: Request) -> JSONResponse:
        now = state()
        why = unready(now)
        return JSONResponse(_body(now, why), 503 if why else 200)

    async def scraped(_: Request) -> Response:
        return Response(await metrics(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/", at_a_glance),
            Route("/livez", livez),
            Route("/readyz", readyz),
            Route("/metrics", scraped),
        ]
    )


class HealthServer:
    """Serves on the running event loop. Raises SettingsError when the address cannot be had."""

    def __init__(
        self,
        host: str,
        port: int,
        state: Callable[[], State],
        metrics: Callable[[], Awaitable[bytes]],
        page: Callable[[State], str],
    ) -> None:
        try:
            self._listener = socket.create_server((host, port))
        except OSError as error:
            raise SettingsError([f"WORKER_HEALTH__PORT: {host}:{port} cannot be had ({error.strerror})"]) from None
        config = uvicorn.Config(
            application(state, metrics, page),
            http="h11",
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._serving = asyncio.get_running_loop().create_task(self._server.serve(sockets=[self._listener]))

    async def close(self) -> None:
        """Stops listening."""
        self._server.should_exit = True
        await asyncio.wait({self._serving}, timeout=3)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the worker's


def _body(state: State, why: list[str]) -> dict[str, object]:
    return {
        "status": "ok" if not why else "not ok",
        "why": why,
        "partitions": len(state.partitions),
        "circuits": [asdict(circuit) for circuit in state.gate.circuits],
        "held_back_seconds": state.gate.held_back_seconds,
        "calls_per_second": state.gate.calls_per_second,
        "stalls": [asdict(stall) for stall in state.stalls],
        "retention_left_seconds": state.retention_left_seconds,
        "records_lost": state.records_lost,
    }
