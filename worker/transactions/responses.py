"""The answers of the endpoint, as its OpenAPI document tells them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from worker.transactions.answers import CREATED, DUPLICATE, Reply, denied, not_stored, too_large, too_long, wrong
from worker.transactions.answers import too_many as too_many_requests
from worker.transactions.form import Form
from worker.transactions.media import JSON, NOT_READ, READ
from worker.transactions.transaction import Problem, Wrong

ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "description": "The error form of Rokt's own API.",
    "required": ["description", "errors"],
    "properties": {
        "description": {"type": "string"},
        "errors": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["code", "message", "value"],
                "properties": {
                    "code": {"type": "string", "description": "A word for programs."},
                    "message": {"type": "string", "description": "A sentence for people. It quotes nothing of it."},
                    "value": {"type": "object", "properties": {"field": {"type": "string"}}},
                },
            },
        },
    },
}
UNSTORED: Final = not_stored("broker", "the brokers do not take it now")
_WAIT: Final = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
_CHALLENGE: Final = {"WWW-Authenticate": {"description": "The ways in.", "schema": {"type": "string"}}}


def of_transaction(form: Form, *, body: bool, guarded: bool) -> dict[str, Any]:
    """By status. Without a body there is none that is too large or of another type; unguarded, nobody is denied."""
    name = form.identity[0]
    missing = wrong(Wrong((Problem(name, "missing", f"{name} is required, and was not sent"),)))
    found = {
        "201": _status("It was taken, and is stored.", CREATED.body),
        "200": _status("A duplicate: it was taken before, and is stored.", DUPLICATE.body),
        "400": _error(
            "Something is wrong with it, and every problem is told: sent again it is refused again.", missing
        ),
        "429": too_many(),
        "503": {
            **_error(
                "It is not known to be stored: send it again.", not_stored("broker", "the brokers do not take it now")
            ),
            "headers": _WAIT,
        },
    }
    more = (of_body() if body else of_query()) | ({"401": _denied()} if guarded else {})
    return dict(sorted((found | more).items()))


def of_body() -> dict[str, Any]:
    """To a body that is not read."""
    return {
        "413": _error("The body is too large.", too_large(65_536)),
        "415": _error(f"The media type or charset is not read. Read are {READ}, in UTF-8.", wrong(NOT_READ)),
    }


def of_query() -> dict[str, Any]:
    """To a query that is not read."""
    return {"414": _error("The query is too long.", too_long(65_536))}


def too_many() -> dict[str, Any]:
    """To more requests than are taken."""
    return {**_error("Too many requests: send it again later.", too_many_requests(1)), "headers": _WAIT}


def answer(description: str, schema: dict[str, Any], example: object) -> dict[str, Any]:
    """One in JSON."""
    return {"description": description, "content": {JSON: {"schema": schema, "example": example}}}


def _status(description: str, body: Mapping[str, str]) -> dict[str, Any]:
    properties = {name: {"const": value} for name, value in body.items()}
    return answer(description, {"type": "object", "required": list(body), "properties": properties}, body)


def _denied() -> dict[str, Any]:
    return {**_error("The credentials are missing or wrong.", denied("Basic")), "headers": _CHALLENGE}


def _error(description: str, example: Reply) -> dict[str, Any]:
    return answer(description, {"$ref": "#/components/schemas/Error"}, example.body)
