"""The sandbox's own paths: what it did, the calls it saw, the faults in force. Never subject to faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from worker.sandbox.answers import json_response, respond
from worker.sandbox.faults import Faults, parse_faults
from worker.sandbox.journal import CALLS_KEPT
from worker.sandbox.messages import Refused

if TYPE_CHECKING:
    from starlette.requests import Request

    from worker.sandbox.app import Sandbox
    from worker.sandbox.messages import Json


def admin_routes(sandbox: Sandbox) -> list[Route]:
    """GET /sandbox/state[?summary=1], GET /sandbox/calls, GET|PUT|DELETE /sandbox/faults, POST /sandbox/reset."""
    admin = _Admin(sandbox)
    return [
        Route("/sandbox/state", admin.state, methods=["GET"]),
        Route("/sandbox/calls", admin.calls, methods=["GET"]),
        Route("/sandbox/faults", admin.faults, methods=["GET"]),
        Route("/sandbox/faults", admin.order, methods=["PUT"]),
        Route("/sandbox/faults", admin.no_faults, methods=["DELETE"]),
        Route("/sandbox/reset", admin.reset, methods=["POST"]),
    ]


class _Admin:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def state(self, request: Request) -> Response:
        """`summary`, and unless `summary=1` is asked for: `totals`, `orders`, `reservations` by id."""
        content: Json = {"summary": self._summary()}
        if request.query_params.get("summary", "0") == "0":
            content["totals"] = self._sandbox.journal.totals()
            content["orders"] = self._sandbox.rokt.orders()
            content["reservations"] = self._sandbox.rokt.reservations()
        return json_response(content)

    async def calls(self, request: Request) -> Response:
        """The calls with a sequence number above `after`, oldest first, at most `limit`."""
        try:
            after = int(request.query_params.get("after", "0"))
            limit = int(request.query_params.get("limit", "1000"))
        except ValueError:
            return respond(Refused(400, "InvalidQuery", "`after` and `limit` are whole numbers", {}))
        calls = self._sandbox.journal.after(after, min(limit, CALLS_KEPT))
        return json_response({"calls": calls, "last": self._sandbox.journal.requests})

    async def faults(self, _: Request) -> Response:
        return json_response(self._sandbox.faults.faults)

    async def order(self, request: Request) -> Response:
        """Replaces all faults by those in the body; what the body leaves out is off."""
        try:
            faults = parse_faults(await request.body())
        except msgspec.DecodeError as error:
            return respond(Refused(400, "InvalidFaults", str(error), {}))
        self._sandbox.faults.order(faults)
        return json_response(faults)

    async def no_faults(self, _: Request) -> Response:
        self._sandbox.faults.order(Faults())
        return Response(status_code=204)

    async def reset(self, _: Request) -> Response:
        self._sandbox.clear()
        return Response(status_code=204)

    def _summary(self) -> Json:
        return self._sandbox.rokt.summary() | {
            "requests": self._sandbox.journal.requests,
            "conflicts": self._sandbox.conflicts,
            "keys_remembered": len(self._sandbox.keys),
        }
