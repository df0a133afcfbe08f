"""What `rokt-worker placements` is asked with. No complaint quotes what was given: it may be personal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

HIDDEN = "what was given is not shown"


class Discreet(click.Command):
    """One that does not quote words too many either: they are likely the rest of a value."""

    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Fails on words that belong to no option."""
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            ctx.fail(f"Words that belong to no option ({len(rest)}; {HIDDEN}). A value with blanks needs quotes.")
        return rest


class Text(click.ParamType[str]):
    """Any that is not blank."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Fails with what is allowed."""
        if not _encodable(value) or not value.strip():
            self.fail(f"allowed: text in UTF-8 that is not blank; {HIDDEN}.", param, ctx)
        return str(value)


class HeaderText(click.ParamType[str]):
    """What may stand in a header."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Fails with what is allowed."""
        if not value or not value.isascii() or not value.isprintable() or value != value.strip():
            self.fail(f"allowed: printable ASCII without blanks around it; {HIDDEN}.", param, ctx)
        return str(value)


class Locale(click.ParamType[str]):
    """A language, or one with its country."""

    name = "locale"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Fails with the forms that are allowed."""
        from worker.mapping import language

        found = language(value)
        if found is None:
            self.fail(f"allowed: a locale such as en-US, or a language such as en; {HIDDEN}.", param, ctx)
        return found


class Attribute(click.ParamType[tuple[str, str]]):
    """NAME=VALUE; what stands behind the first = is the value, which may be empty."""

    name = "attribute"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Fails with the form that is allowed."""
        name, given, text = value.partition("=")
        if not given or not name.strip() or not _encodable(value):
            self.fail(f"allowed: NAME=VALUE, in UTF-8; {HIDDEN}.", param, ctx)
        return name, text


def together(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The attributes, each of which may be given once."""
    attributes = dict(pairs)
    if len(attributes) < len(pairs):
        raise click.UsageError("An attribute is given twice, and Rokt takes one value of each.")
    return attributes


def _encodable(value: str) -> bool:
    """Whether it is text: what a shell gives may be other bytes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
