"""Reads one HTTP request as the reference describes it, and says what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from starlette.requests import Request

from worker.sandbox.messages import (
    Cancel,
    Confirm,
    Message,
    Operation,
    Placements,
    Refused,
    Release,
    Reserve,
    has_items,
)

BODY_LIMIT = 1 << 20
JSON = "application/json"
MESSAGES: dict[Operation, type[Message]] = {
    Operation.RESERVE: Reserve,
    Operation.CONFIRM: Confirm,
    Operation.RELEASE: Release,
    Operation.CANCEL: Cancel,
    Operation.PLACEMENTS: Placements,
}
NEED_TAG = (Operation.CONFIRM, Operation.RELEASE, Operation.PLACEMENTS)


class BodyTooLargeError(Exception):
    """The body is longer than `BODY_LIMIT` bytes."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a caller has to show; empty: any API key, any tag id."""

    api_key: str = ""
    tag_id: str = ""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request as it came: `message` is its body, or what is wrong with the body."""

    operation: Operation
    headers: Mapping[str, str]
    message: Message | Refused

    @property
    def key(self) -> str | None:
        """The idempotency key, bare or in the quotes of the IETF draft; None without one."""
        return self.headers.get("idempotency-key", "").strip().strip('"') or None


async def read_body(request: Request) -> bytes:
    """The whole body; raises BodyTooLargeError as soon as it is known to be too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise BodyTooLargeError
    return bytes(body)


def parse(operation: Operation, body: bytes) -> Message | Refused:
    """The request's body; `Refused` (400) names the first thing that is wrong and where."""
    try:
        return msgspec.json.decode(body, type=MESSAGES[operation])
    except msgspec.ValidationError as error:
        # msgspec's text never quotes the offending value, so nothing of the customer comes back.
        message, _, path = str(error).partition(" - at `")
        return Refused(400, "InvalidBody", message, {"path": path.rstrip("`") or "$"})
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Refused(400, "MalformedBody", "The body is not JSON", {})


def check_access(call: Incoming, wanted: Credentials) -> Refused | None:
    """401, 403, 415 and 406: about the caller, not about what the request says."""
    api_key = call.headers.get("rokt-api-key", "")
    if not api_key or (wanted.api_key and api_key != wanted.api_key):
        return Refused(401, "Unauthorized", "The API key is missing or wrong", {})
    tag_id = call.headers.get("rokt-tag-id", "")
    if call.operation in NEED_TAG and tag_id and wanted.tag_id and tag_id != wanted.tag_id:
        return Refused(403, "Forbidden", "The tag id does not belong to this API key", {"header": "rokt-tag-id"})
    if _media_types(call.headers.get("content-type", "")) != [JSON]:
        return Refused(415, "UnsupportedMediaType", f"Content-Type must be {JSON}", {"header": "Content-Type"})
    accepted = _media_types(call.headers.get("accept", JSON))
    if not {JSON, "application/*", "*/*"}.intersection(accepted):
        return Refused(406, "NotAcceptable", f"Accept must admit {JSON}", {"header": "Accept"})
    return None


def check_headers(call: Incoming, message: Message) -> Refused | None:
    """400 for a header that this operation requires and that is not there."""
    if call.operation in NEED_TAG and not call.headers.get("rokt-tag-id"):
        return _missing("rokt-tag-id")
    needs_session = isinstance(message, Release) or (isinstance(message, Confirm) and has_items(message))
    if needs_session and not call.headers.get("rokt-session-id"):
        return _missing("rokt-session-id")
    return None


def _missing(header: str) -> Refused:
    return Refused(400, "MissingHeader", f"The header {header} is required", {"header": header})


def _media_types(value: str) -> list[str]:
    return [part.partition(";")[0].strip().lower() for part in value.split(",")]
