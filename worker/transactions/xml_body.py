"""XML 1.0: a root of any name with one element for each parameter, its text the value. Pure.

Read with expat itself: no tree is built of what is refused, and the first thing that is no part of this form ends the
reading. A document type declaration is such a thing, so there are no entities to expand and nothing to fetch.
"""

from __future__ import annotations

from typing import NoReturn
from xml.parsers import expat

from worker.transactions.media import CHARSETS, UNREADABLE
from worker.transactions.pairs import MAX_PARAMETERS, decoded, parameters, too_many
from worker.transactions.transaction import Parameters, Wrong, wrong

BLANK = " \t\r\n"
PARAMETER = 2
"""Depth of its element; the root's is 1."""
DECLARATIONS = ("StartDoctypeDecl", "EntityDecl", "UnparsedEntityDecl", "ExternalEntityRef", "SkippedEntity")


class _Refused(Exception):
    """Ends the reading."""

    def __init__(self, why: Wrong) -> None:
        super().__init__()
        self.why = why


def read_xml(body: bytes) -> Parameters | Wrong:
    """The elements under the root."""
    text = decoded(body)
    if isinstance(text, Wrong):
        return text
    reading = _Reading()
    try:
        _parser(reading).Parse(text.encode(), True)
    except _Refused as refused:
        return refused.why
    except expat.ExpatError as error:
        return wrong("syntax", f"the body is not XML (line {error.lineno}, column {error.offset + 1})")
    return parameters(reading.pairs)


def _parser(reading: _Reading) -> expat.XMLParserType:
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.text
    parser.XmlDeclHandler = reading.declaration
    parser.ProcessingInstructionHandler = _instructed
    for name in DECLARATIONS:
        setattr(parser, f"{name}Handler", _declared)
    return parser


class _Reading:
    """What was read so far."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []
        self._depth = 0
        self._text: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > PARAMETER:
            _refuse("nested", "an element of a parameter holds another: objects and lists are not taken")
        if attributes:
            _refuse("syntax", "an element has an attribute or a namespace, which are not taken")
        if ":" in name:
            _refuse("syntax", "an element's name has a prefix: namespaces are not taken")
        if len(self.pairs) == MAX_PARAMETERS:
            raise _Refused(too_many())

    def end(self, name: str) -> None:
        if self._depth == PARAMETER:
            self.pairs.append((name, "".join(self._text)))
            self._text.clear()
        self._depth -= 1

    def text(self, data: str) -> None:
        if self._depth == PARAMETER:
            self._text.append(data)
        elif data.strip(BLANK):
            _refuse("syntax", "there is text beside the elements of the parameters")

    def declaration(self, _: str, encoding: str | None, __: int) -> None:
        if encoding is not None and encoding.lower() not in CHARSETS:
            why = "the XML declaration names an encoding that is not read; read is utf-8"
            raise _Refused(wrong("encoding", why, UNREADABLE))


def _refuse(code: str, message: str) -> NoReturn:
    raise _Refused(wrong(code, message))


def _declared(*_: object) -> NoReturn:
    _refuse("syntax", "document type declarations and entities are not taken")


def _instructed(*_: object) -> NoReturn:
    _refuse("syntax", "processing instructions are not taken")
