"""Parameters from names and values in the order they were sent, the same rules for every encoding. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import Final

from worker.transactions.numbers import DIGITS
from worker.transactions.transaction import MAX_PROBLEMS, Parameters, Problem, Wrong, wrong

MAX_PARAMETERS: Final = 256
BYTE_ORDER_MARK: Final = "\ufeff"


class Unfit(Enum):
    """In the place of a value that is none."""

    NESTED = "nested"
    TOO_LONG = "too-long"


MESSAGES: Final = {
    Unfit.NESTED: "is no plain value: objects and lists are not taken",
    Unfit.TOO_LONG: f"is a number of more than {DIGITS} digits, or out of range",
}
Sent = str | int | Decimal | bool | None | Unfit


def decoded(body: bytes) -> str | Wrong:
    """The text of a body. A byte order mark is passed over, as RFC 8259, section 8.1, allows."""
    try:
        return body.decode().removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        return wrong("encoding", f"the body is not UTF-8 (byte {error.start})")


def parameters(pairs: Iterable[tuple[str, Sent]]) -> Parameters | Wrong:
    """By name, or what is wrong with them. Parameters are told by their places, since their names may be anything."""
    found: dict[str, str | int | Decimal | bool | None] = {}
    problems: list[Problem] = []
    for place, (name, value) in enumerate(pairs, start=1):
        if place > MAX_PARAMETERS:
            return too_many()
        if problem := _problem(name, value, repeated=name in found):
            code, message = problem
            problems.append(Problem("", code, f"parameter {place} {message}"))
        elif not isinstance(value, Unfit):
            found[name] = value
    return Wrong(tuple(islice(problems, MAX_PROBLEMS))) if problems else found


def too_many() -> Wrong:
    """More than anybody has a use for."""
    return wrong("too-many", f"there are more than {MAX_PARAMETERS} parameters")


def _problem(name: str, value: Sent, *, repeated: bool) -> tuple[str, str] | None:
    texts = (name, value) if isinstance(value, str) else (name,)
    if not all(map(_is_unicode, texts)):
        return "encoding", "holds half a character: a surrogate without its other one"
    if any("\0" in each for each in texts):
        return "format", "holds the character U+0000"
    if not name:
        return "syntax", "has no name"
    if repeated:
        return "repeated", "has the name of one before it"
    return (value.value, MESSAGES[value]) if isinstance(value, Unfit) else None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
