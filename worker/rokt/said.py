"""What Rokt says in its form of an error, and a text of others without what it may quote. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

import msgspec

HIDDEN: Final = "…"
UNMISTAKABLE: Final = 8
"""A value of so many characters is left out also within a longer word."""


class Complaint(msgspec.Struct, frozen=True):
    """One of `errors`. What it quotes (`value`) is not looked at."""

    code: str | None = None
    message: str | None = None


class Said(msgspec.Struct, frozen=True):
    """Rokt API, the body of 400, 403, 422, 500 and 504 of every endpoint."""

    description: str | None = None
    errors: tuple[Complaint, ...] = ()

    @property
    def sentences(self) -> list[str]:
        """The description, then each error as `code: message`; what is absent is left out."""
        errors = (": ".join(part for part in (one.code, one.message) if part) for one in self.errors)
        return [sentence for sentence in (self.description or "", *errors) if sentence]


def read_said(body: bytes | str) -> Said | None:
    """None where the body is in another form."""
    try:
        return msgspec.json.decode(body, type=Said)
    except (ValueError, RecursionError):
        return None


def without(text: str, values: Iterable[str]) -> str:
    """The text without these values, as they are or as JSON writes them, in capitals or not."""
    found = {value.strip() for value in values} - {""}
    written = found | {json.dumps(value)[1:-1] for value in found}
    if not written:
        return text
    longest_first = sorted(written, key=len, reverse=True)
    return re.sub("|".join(map(_pattern, longest_first)), HIDDEN, text, flags=re.IGNORECASE)


def _pattern(value: str) -> str:
    found = re.escape(value)
    return found if len(value) >= UNMISTAKABLE else rf"(?<!\w){found}(?!\w)"
