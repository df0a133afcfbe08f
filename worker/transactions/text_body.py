"""The two encodings of `name=value`: URL-encoded, joined by `&`; and plain text, one a line. Pure.

URL-encoded: WHATWG URL, "application/x-www-form-urlencoded", read strictly: what is not ASCII must be escaped, every
`%` has two hex digits, every pair its `=`. Plain text: WHATWG HTML, "Plain text form data": UTF-8, a line each, the
first `=` splits, nothing is escaped; blank lines are passed over, the last line need not end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from worker.transactions.pairs import MAX_PARAMETERS, decoded, parameters, too_many
from worker.transactions.transaction import Parameters, Wrong, wrong

_UNESCAPED: Final = re.compile(rb"[^\x21-\x7e]")
_BROKEN: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE: Final = re.compile(rb"%(..)")


def read_urlencoded(body: bytes) -> Parameters | Wrong:
    """The pairs of a form's body, or of a query."""
    if unescaped := _UNESCAPED.search(body):
        return wrong("syntax", f"byte {unescaped.start()} must be percent-encoded")
    if broken := _BROKEN.search(body):
        return wrong("syntax", f"byte {broken.start()} is a % without two hex digits behind it")
    if body.count(b"&") > 2 * MAX_PARAMETERS:
        return too_many()
    pairs = [pair.partition(b"=") for pair in body.split(b"&") if pair]
    for place, (_, equals, _) in enumerate(pairs, start=1):
        if not equals:
            return wrong("syntax", f"parameter {place} is no name=value")
    try:
        return parameters([(_unescaped(name), _unescaped(value)) for name, _, value in pairs])
    except UnicodeDecodeError:
        return wrong("encoding", "what is percent-encoded is not UTF-8")


def read_plain(body: bytes) -> Parameters | Wrong:
    """The lines of a plain text."""
    text = decoded(body)
    if isinstance(text, Wrong):
        return text
    pairs: list[tuple[str, str]] = []
    for line, written in _lines(text):
        name, equals, value = written.partition("=")
        if not equals:
            return wrong("syntax", f"line {line} is no name=value")
        if len(pairs) == MAX_PARAMETERS:
            return too_many()
        pairs.append((name, value))
    return parameters(pairs) if pairs else wrong("empty", "the body is empty")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Those that are not blank, with their numbers."""
    for line, written in enumerate(text.split("\n"), start=1):
        if written.strip(" \t\r"):
            yield line, written.removesuffix("\r")


def _unescaped(part: bytes) -> str:
    spaced = part.replace(b"+", b" ")
    return _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), spaced).decode()
