"""One transaction to show, in each encoding, made of the form's examples. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from worker.transactions.form import Form
from worker.transactions.kinds import text
from worker.transactions.transaction import Value

_MARKUP: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_PLAIN: Final = re.compile(rb"[A-Za-z0-9._~-]")  # RFC 3986, section 2.3: unreserved
_LINE_END: Final = re.compile(r"[\r\n]+")


def as_object(form: Form) -> dict[str, Any]:
    """The members of the JSON object."""
    return {field.name: _json(field.sample) for field in form.fields}


def as_query(form: Form) -> str:
    """URL-encoded: a form's body, or a query."""
    return urlencoded(as_object(form))


def urlencoded(members: Mapping[str, Any]) -> str:
    """Names and plain values, escaped."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in members.items()}
    return "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in texts.items())


def as_lines(form: Form) -> str:
    """Plain text."""
    return "".join(f"{name}={_LINE_END.sub(' ', value)}\n" for name, value in _texts(form).items())


def as_xml(form: Form) -> str:
    """A root with an element for each."""
    elements = "".join(f"  <{name}>{_marked(value)}</{name}>\n" for name, value in _texts(form).items())
    return f"<transaction>\n{elements}</transaction>\n"


def _texts(form: Form) -> dict[str, str]:
    return {field.name: text(field.sample) for field in form.fields}


def _json(value: Value) -> str | int | float | bool:
    return float(value) if isinstance(value, Decimal) else value


def _escaped(value: str) -> str:
    each = (bytes([byte]) for byte in value.encode())
    return "".join(byte.decode() if _PLAIN.match(byte) else f"%{byte.hex().upper()}" for byte in each)


def _marked(value: str) -> str:
    return "".join(_MARKUP.get(character, character) for character in value)
