"""What libraries say in the log, without what they fill in: an address with a password, a header, a server's answer.

Their sentences are fixed, and tell an operator what is wrong; of what is filled into them only numbers, kinds of
errors, the names of OTEL_ variables and the fixed words of HTTP are shown. asyncio fills in by itself, behind the first
words: there a task or a callback is written out, with the error or the records that it was given. Pure.
"""

from __future__ import annotations

import re
from http import HTTPMethod, HTTPStatus
from typing import Final

from structlog.typing import EventDict

HIDDEN: Final = "…"
WORDS: Final = frozenset({*HTTPMethod, *(status.phrase for status in HTTPStatus), "spans", "metrics"})
_VARIABLE: Final = re.compile(r"OTEL_[A-Z_]+")
_FILLED_IN: Final = re.compile(r"(?:[\n<(\[{\"]|(?<!\w)').*", re.DOTALL)


class _Hidden:
    def __str__(self) -> str:
        return HIDDEN

    __repr__ = __str__


def without_values(_: object, __: str, event: EventDict) -> EventDict:
    """A library's line, given as its sentence and what is to be filled in."""
    given = event.pop("positional_args", ())
    sentence = str(event["event"])
    if not given:
        event["event"] = _FILLED_IN.sub("", sentence).rstrip()
        return event
    values = given if isinstance(given, tuple) else (given,)
    try:
        event["event"] = sentence % tuple(map(_shown, values))
    except (TypeError, ValueError, KeyError):  # a sentence that wants other values than it was given
        event["event"] = sentence
    return event


def _shown(value: object) -> object:
    if isinstance(value, int | float):
        return value
    if isinstance(value, BaseException):
        return type(value).__name__
    known = isinstance(value, str) and (value in WORDS or _VARIABLE.fullmatch(value))
    return value if known else _Hidden()
