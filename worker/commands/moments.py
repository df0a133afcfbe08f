"""Times as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

import click

MILLISECONDS: Final = re.compile("[0-9]{13}", re.ASCII)


class Moment(click.ParamType[int]):
    """RFC 3339 text, UTC without an offset, as milliseconds since 1970; or these themselves, as Kafka has them."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Fails with the forms that are allowed."""
        if MILLISECONDS.fullmatch(value):
            return int(value)
        try:
            given = datetime.fromisoformat(value)
            ms = int((given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp() * 1000)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time such as 2026-11-20 or 2026-11-20T10:00:00Z.", param, ctx)
        if ms < 0:
            self.fail(f"{value!r} is before 1970.", param, ctx)
        return ms
