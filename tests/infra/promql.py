"""What an expression of PromQL names: its series, their label matchers, and the labels that it groups by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z_:][\w:]*|[=!]~|!=|\[[^\]]*\]|\d[\w.]*|\S')
NAME: Final = re.compile(r"[A-Za-z_:][\w:]*")
GROUPING: Final = ("by", "without", "on", "ignoring", "group_left", "group_right")
WORDS: Final = ("and", "or", "unless", "offset", "bool")


@dataclass(frozen=True, slots=True)
class Matcher:
    """`label="value"`; `operator` is one of = != =~ !~."""

    label: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """A series' name with its matchers."""

    series: str
    matchers: tuple[Matcher, ...]


@dataclass(slots=True)
class Named:
    """All that is named."""

    selectors: list[Selector] = field(default_factory=list)
    grouped_by: set[str] = field(default_factory=set)


def named(expression: str) -> Named:
    """What an expression names; promtool says whether it is one."""
    found = Named()
    tokens = TOKEN.findall(expression)
    at = 0
    while at < len(tokens):
        token, after = tokens[at], tokens[at + 1] if at + 1 < len(tokens) else ""
        at += 1
        if token in GROUPING:
            if after == "(":
                end = tokens.index(")", at)
                found.grouped_by.update(token for token in tokens[at:end] if NAME.fullmatch(token))
                at = end + 1
        elif NAME.fullmatch(token) and token not in WORDS and after not in ("(", "by", "without"):
            end = tokens.index("}", at) if after == "{" else at
            found.selectors.append(Selector(token, tuple(_matchers(tokens[at + 1 : end]))))
            at = end
    return found


def _matchers(tokens: list[str]) -> Iterator[Matcher]:
    meant = [token for token in tokens if token != ","]
    for label, operator, value in zip(meant[::3], meant[1::3], meant[2::3], strict=True):
        yield Matcher(label, operator, value[1:-1])
