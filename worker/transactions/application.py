"""The endpoint as an ASGI application: its routes, its manual, its probes; whatever is asked, an answer in one form."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from worker.transactions.answers import refused
from worker.transactions.media import JSON
from worker.transactions.service import METHODS, Service
from worker.transactions.ways import TOKEN_PATH

SAFE: Final = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Manual:
    """How to call it: as OpenAPI, and the same for people."""

    document: Mapping[str, Any]
    page: str


@dataclass(frozen=True, slots=True)
class Probes:
    """`unready` gives the reasons why it is not, `metrics` what Prometheus reads."""

    unready: Callable[[], list[str]]
    metrics: Callable[[], Awaitable[bytes]]


def application(service: Service, path: str, manual: Manual, probes: Probes) -> Starlette:
    """All that it serves."""

    async def document(_: Request) -> JSONResponse:
        return JSONResponse(manual.document, headers=SAFE)

    async def docs(_: Request) -> HTMLResponse:
        return HTMLResponse(manual.page, headers=SAFE)

    async def livez(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "why": []})

    async def readyz(_: Request) -> JSONResponse:
        why = probes.unready()
        return JSONResponse({"status": "not ok" if why else "ok", "why": why}, 503 if why else 200)

    async def metrics(_: Request) -> Response:
        return Response(await probes.metrics(), media_type=CONTENT_TYPE_LATEST)

    served = Starlette(
        routes=[
            Route(path, service.transaction, methods=list(METHODS)),
            Route(TOKEN_PATH, service.token, methods=["POST"]),
            Route("/openapi.json", document),
            Route("/docs", docs),
            Route("/livez", livez),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ],
        exception_handlers={HTTPException: _told},
    )
    served.router.redirect_slashes = False  # it would lead from TLS at a proxy to http, at whatever Host was sent
    return served


async def _told(_: Request, error: Exception) -> Response:
    """404 and 405, in the form of all errors."""
    assert isinstance(error, HTTPException)
    word = {404: "not-found", 405: "method"}.get(error.status_code, "http")
    reply = refused(error.status_code, word, error.detail, error.headers)
    return Response(reply.content, reply.status, dict(reply.headers), JSON)
