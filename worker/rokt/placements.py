"""`Placements/any`: is there anything to show? Rokt API, POST Any Placements. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from worker.rokt.answers import Accepted, Answer
from worker.rokt.said import Said, read_said

NO_RESULT: Final = "there is no result in it"


class PlacementsRequest(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The body; what is absent is left out."""

    cart_id: str
    page_identifier: str
    url: str | None = None
    attributes: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Placements:
    """What came of asking. `result`: whether there is anything to show; None when no answer said so.

    `answer` is Accepted with `unread` when a 2xx had no result. `said` is Rokt's form of an error, from the whole body.
    """

    answer: Answer
    result: bool | None = None
    said: Said | None = None


def read_placements(answer: Answer, body: bytes) -> Placements:
    """`answer` is what status and body mean for any call, `body` all that came of it."""
    if not isinstance(answer, Accepted):
        return Placements(answer, said=read_said(body))
    result = _result(body)
    unread = None if result is not None else answer.unread or NO_RESULT
    return Placements(Accepted(answer.status, (), unread), result)


def _result(body: bytes) -> bool | None:
    try:
        document = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return None
    result = document.get("result") if isinstance(document, dict) else None
    return result if isinstance(result, bool) else None
