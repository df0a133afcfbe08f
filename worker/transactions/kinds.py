"""What each type of parameter takes, from any encoding, and how its values are written. Pure.

JSON knows numbers and booleans, the other encodings text only: a text that says the same is the same. Dates and times:
RFC 3339, section 5.6, without leap seconds. Email addresses: plausible ones, of at most 254 characters (RFC 5321,
section 4.5.3.1); whether somebody reads them only a letter can tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from worker.transactions.numbers import DIGITS, bounded, number, whole, written
from worker.transactions.transaction import Kind, Value

MOST: Final = 2**63 - 1
EMAIL_LENGTH: Final = 254
EMAIL: Final = r"[^@\s\x00-\x20\x7f]{1,64}@[^@\s\x00-\x20\x7f]+\.[^@\s\x00-\x20\x7f.]+"
DATE_TIME: Final = (
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
MUST_BE: Final[dict[Kind, str]] = {
    "string": "text",
    "integer": f"a whole number, from {-MOST - 1} to {MOST}",
    "number": f"a number of at most {DIGITS} digits, with a point and no leading zeros",
    "boolean": "true or false",
    "email": f"an email address of at most {EMAIL_LENGTH} characters",
    "date-time": "a date and time with its offset (RFC 3339), such as 2026-11-22T10:00:00Z",
}
CODES: Final[dict[Kind, str]] = {
    "string": "type",
    "integer": "type",
    "number": "type",
    "boolean": "type",
    "email": "format",
    "date-time": "format",
}

_EMAIL = re.compile(EMAIL)
_DATE_TIME = re.compile(DATE_TIME)


def typed(kind: Kind, value: Value) -> Value | None:
    """The value as its type has it; None when it is none of that type."""
    return _TYPES[kind](value)


def text(value: Value) -> str:
    """The one writing of a value."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return written(value)


def _number(value: Value) -> Decimal | None:
    if isinstance(value, bool):
        return None
    return number(value) if isinstance(value, str) else bounded(value)


def _integer(value: Value) -> int | None:
    found = _number(value)
    integer = None if found is None else whole(found)
    return integer if integer is not None and -MOST - 1 <= integer <= MOST else None


def _boolean(value: Value) -> bool | None:
    return {"true": True, "false": False}.get(text(value))


def _email(value: Value) -> str | None:
    fits = isinstance(value, str) and len(value) <= EMAIL_LENGTH and _EMAIL.fullmatch(value)
    return str(value) if fits else None


def _date_time(value: Value) -> str | None:
    """In UTC, with milliseconds or as many digits more as there are."""
    found = _DATE_TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    moment, fraction, offset = found.groups()
    try:
        utc = datetime.fromisoformat(moment.upper() + offset.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    digits = (fraction or ".").removeprefix(".").rstrip("0").ljust(3, "0")
    return f"{utc.replace(tzinfo=None).isoformat()}.{digits}Z"


_TYPES: Final[dict[Kind, Callable[[Value], Value | None]]] = {
    "string": text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "email": _email,
    "date-time": _date_time,
}
