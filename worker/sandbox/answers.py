"""Answers in the Rokt API's forms, and the answer that is none: a connection that is cut."""

import asyncio
from collections.abc import Mapping

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from worker.sandbox.messages import Done, Json, Refused

ABORT = "rokt_worker.abort"


def json_response(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(content), status, headers, media_type="application/json")


def respond(result: Done | Refused, headers: Mapping[str, str] | None = None) -> Response:
    """The HTTP response; without a body for a 401 and where the reference documents none."""
    match result:
        case Done(None):
            return Response(status_code=200, headers=headers)
        case Done(body):
            return json_response(body, 200, headers)
        case Refused(401):
            return Response(status_code=401, headers=headers)
        case Refused(status, code, message, value):
            return json_response(error_form(code, message, value), status, headers)


def error_form(code: str, message: str, value: Json) -> Json:
    """Rokt's error form, the same for every endpoint."""
    return {"description": message, "errors": [{"code": code, "message": message, "value": value}]}


async def http_error(_: Request, error: Exception) -> Response:
    """404 and 405 of the router in Rokt's error form."""
    assert isinstance(error, HTTPException)
    return respond(Refused(error.status_code, error.detail.replace(" ", ""), error.detail, {}), error.headers)


async def client_gone(_: Request, __: Exception) -> Response:
    """For a client that left before its request was complete; nobody reads it."""
    return Response(status_code=400)


class Cut(Response):
    """Sends nothing: holds the connection for `seconds` (or until the client leaves, or `closing`), then aborts it.

    Needs the ASGI extension `rokt_worker.abort` of worker.sandbox.server; without it raises ConnectionResetError.
    """

    def __init__(self, seconds: float, closing: asyncio.Event) -> None:
        super().__init__()
        self._seconds = seconds
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        gone = asyncio.ensure_future(_disconnected(receive))
        closing = asyncio.ensure_future(self._closing.wait())
        if self._seconds > 0:
            await asyncio.wait((gone, closing), timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
        closing.cancel()
        extension = scope.get("extensions", {}).get(ABORT)
        if extension is None:
            gone.cancel()
            raise ConnectionResetError("the sandbox cut the connection")
        extension["abort"]()
        # The server would answer 500 if the application returned before it noticed that the connection is gone.
        await gone


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
