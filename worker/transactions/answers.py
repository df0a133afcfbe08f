"""What callers are answered, in the forms that Rokt's own API has. Values. Pure.

Rokt, "Transaction Export API", expected responses: 201 created, 200 duplicate; errors as in Rokt's API: a description,
and a code and a message for each thing that is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from worker.transactions.transaction import Problem, Wrong


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: `result` is its word for the log and the metrics, `problems` what is wrong, by field."""

    status: int
    result: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    problems: Sequence[Problem] = ()

    @property
    def content(self) -> bytes:
        """The body as JSON."""
        return json.dumps(self.body).encode()


RETRY_SECONDS: Final = 5
CREATED: Final = Reply(201, "created", {"status": "created"})
DUPLICATE: Final = Reply(200, "duplicate", {"status": "duplicate"})
DESCRIPTIONS: Final[Mapping[int, str]] = {
    400: "The transaction is not as it should be",
    401: "The credentials are missing or wrong",
    404: "There is nothing here",
    405: "The method is not allowed here",
    408: "The request did not come in time",
    413: "The body is too large",
    414: "The query is too long",
    415: "The body's encoding is not one that is read",
    429: "Too many requests",
    431: "Too many headers",
    500: "The request could not be carried out",
    503: "It cannot be taken now: send it again",
}


def wrong(what: Wrong) -> Reply:
    """It is not taken, and never will be as it is."""
    return _error(what.status, "rejected", what.problems, {})


def denied(challenge: str) -> Reply:
    """Nobody is let in so (RFC 9110, section 11.6.1)."""
    told = "the credentials are missing, or are not those that were agreed"
    return refused(401, "unauthorized", told, {"www-authenticate": challenge})


def too_large(most: int) -> Reply:
    """More than so many bytes; the rest is not read."""
    return refused(413, "too-large", f"the body is larger than {most} bytes", {"connection": "close"})


def too_long(most: int) -> Reply:
    """A query of more than so many bytes."""
    return refused(414, "too-large", f"the query is longer than {most} bytes")


def too_many(seconds: int) -> Reply:
    """Not now; again in so many seconds."""
    return refused(429, "rate", "more requests a second than are taken", {"retry-after": str(seconds)})


def not_stored(code: str, message: str) -> Reply:
    """What it has to be stored in does not do what it is asked."""
    return later(code, message, RETRY_SECONDS)


def refused(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """It is not even looked at."""
    return _error(status, code, [Problem("", code, message)], headers or {})


def later(code: str, message: str, seconds: int) -> Reply:
    """Nothing of it was done; it may be sent again after so many seconds."""
    return refused(503, code, message, {"retry-after": str(seconds)})


def _error(status: int, result: str, problems: Sequence[Problem], headers: Mapping[str, str]) -> Reply:
    errors = [{"code": p.code, "message": p.message, "value": {"field": p.field} if p.field else {}} for p in problems]
    body = {"description": DESCRIPTIONS.get(status, "It is not taken"), "errors": errors}
    return Reply(status, result, body, dict(headers), tuple(problems))
