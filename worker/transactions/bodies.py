"""What Rokt sent, whatever its encoding: parameters by name, or what is wrong with them. Pure.

Rokt, "Transaction Export API", 6: "Rokt supports the following body encoding: JSON, URL Encoded, Plain Text, XML". No
bytes make this raise, and nothing of them is quoted in what is said of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from worker.transactions.json_body import read_json
from worker.transactions.media import Encoding, encoding
from worker.transactions.text_body import read_plain, read_urlencoded
from worker.transactions.transaction import Parameters, Wrong, wrong
from worker.transactions.xml_body import read_xml

_READERS: Final[dict[Encoding, Callable[[bytes], Parameters | Wrong]]] = {
    "json": read_json,
    "form": read_urlencoded,
    "text": read_plain,
    "xml": read_xml,
}


def read_body(content_type: str | None, body: bytes) -> Parameters | Wrong:
    """The parameters in a body. One that is empty needs no type to be told so."""
    if not body and not content_type:
        return _empty("body")
    found = encoding(content_type)
    if isinstance(found, Wrong):
        return found
    return _READERS[found](body) if body else _empty("body")


def read_query(query: bytes) -> Parameters | Wrong:
    """The parameters in a URL behind its `?`."""
    return read_urlencoded(query) if query else _empty("query")


def _empty(what: str) -> Wrong:
    return wrong("empty", f"the {what} is empty")
