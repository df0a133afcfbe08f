"""JSON (RFC 8259): one object of plain values. Numbers are read from their writing, never through a float. Pure."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

from worker.transactions.numbers import number, whole
from worker.transactions.pairs import Unfit, decoded, parameters
from worker.transactions.transaction import Parameters, Wrong, wrong


def read_json(body: bytes) -> Parameters | Wrong:
    """The members of the object."""
    text = decoded(body)
    if isinstance(text, Wrong):
        return text
    try:
        found = _JSON.decode(text)
    except json.JSONDecodeError as error:
        return wrong("syntax", f"the body is not JSON (line {error.lineno}, column {error.colno})")
    except ValueError:
        return wrong("syntax", "the body is not JSON: NaN and Infinity are no numbers of it")
    except RecursionError:
        return wrong("nested", "the body is nested too deeply")
    if not isinstance(found, tuple):
        return wrong("type", "the body is no JSON object")
    return parameters((name, Unfit.NESTED if isinstance(value, tuple | list) else value) for name, value in found)


def _decimal(text: str) -> Decimal | Unfit:
    found = number(text)
    return Unfit.TOO_LONG if found is None else found


def _integer(text: str) -> int | Unfit | None:
    found = _decimal(text)
    return found if isinstance(found, Unfit) else whole(found)


def _no_number(_: str) -> Any:
    raise ValueError("NaN or Infinity")


# An object becomes a tuple of pairs, so that no name is lost that is there twice; a list stays one.
_JSON: Final = json.JSONDecoder(
    object_pairs_hook=tuple, parse_float=_decimal, parse_int=_integer, parse_constant=_no_number
)
