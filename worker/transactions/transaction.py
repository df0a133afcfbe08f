"""A transaction as Rokt's export sends it, and what is wrong with one: values. Pure.

Rokt, "Transaction Export API": the partner names the parameters, which of them are required, and how each is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Kind = Literal["string", "integer", "number", "boolean", "email", "date-time"]
Value = str | int | Decimal | bool
Parameters = Mapping[str, str | int | Decimal | bool | None]
"""What was sent, by name. Bodies that know no types (all but JSON) send text only; None is JSON's null."""


MAX_PROBLEMS = 20
"""Told at once."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction. `identity` is the text that identifies it; `values` are those of the form, by name, typed;
    `attributes` what else was sent, as text. Times stand in `values` as RFC 3339 text in UTC.
    """

    identity: str
    values: Mapping[str, Value]
    attributes: Mapping[str, str]

    @property
    def digest(self) -> bytes:
        """Of the identity, 32 bytes: what the ledger keeps of it, since it may be an address of somebody's."""
        return hashlib.sha256(self.identity.encode()).digest()


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one parameter, or with the whole (`field` empty). Never holds what was sent.

    `code` is a word for programs: missing, type, format, too-long, too-many, unknown, repeated, empty, nested, syntax,
    encoding, media-type. Names that the form does not know may be anything, so a parameter is told by its place.
    """

    field: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """It is not taken. `status`: 400, or 415 for a media type or charset that is not read."""

    problems: tuple[Problem, ...]
    status: int = 400


def wrong(code: str, message: str, status: int = 400) -> Wrong:
    """Wrong as a whole, in one way."""
    return Wrong((Problem("", code, message),), status)
