"""Which encoding a Content-Type announces (RFC 9110, section 8.3). Pure."""

from __future__ import annotations

from typing import Final, Literal

from worker.transactions.transaction import Wrong, wrong

Encoding = Literal["json", "form", "text", "xml"]

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
TEXT: Final = "text/plain"
XML: Final = "application/xml"
ENCODINGS: Final[dict[str, Encoding]] = {JSON: "json", FORM: "form", TEXT: "text", XML: "xml", "text/xml": "xml"}
CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii"})
READ: Final = f"{JSON}, {FORM}, {TEXT}, {XML} and text/xml"
UNREADABLE: Final = 415
NOT_READ: Final = wrong("media-type", f"this Content-Type is not read; read are {READ}", UNREADABLE)


def encoding(content_type: str | None) -> Encoding | Wrong:
    """How a body is to be read."""
    if not content_type or not content_type.strip():
        return wrong("media-type", f"Content-Type is missing; read are {READ}", UNREADABLE)
    named, *parameters = content_type.split(";")
    kind = named.strip().lower()
    found = ENCODINGS.get(kind) or ("xml" if _is_xml(kind) else None)
    if found is None:
        return NOT_READ
    if not all(map(_is_read, parameters)):
        return wrong("encoding", "this charset is not read; read is utf-8", UNREADABLE)
    return found


def _is_xml(kind: str) -> bool:
    """RFC 7303, section 4.2: a media type whose name ends in +xml is XML."""
    return kind.count("/") == 1 and not kind.startswith("/") and kind.endswith("+xml")


def _is_read(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip().lower() != "charset" or value.strip().strip('"').lower() in CHARSETS
