"""Numbers as they are written: exact, bounded, and one writing for each. Pure.

RFC 8259, section 6: no leading zeros, no plus, no blanks. So "007" is no number, and never passes for another's 7.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal
from typing import Final

DIGITS: Final = 34
"""That count, zeros at either end left out: as many as IEEE 754 decimal128 holds."""
RANGE: Final = 400
"""Powers of ten, either way: whatever a double can be is read."""
LONGEST: Final = 512
"""Characters, so that whatever is read can be read again from its one writing."""
PATTERN: Final = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?"

_WRITTEN = re.compile(PATTERN)
_EXACT = Context(prec=LONGEST)


def number(text: str) -> Decimal | None:
    """The number that a text is; None when it is none, has too many digits, or lies outside of the range."""
    if len(text) > LONGEST or not _WRITTEN.fullmatch(text):
        return None
    return bounded(Decimal(text))


def bounded(value: Decimal | int) -> Decimal | None:
    """The number; None when it has too many digits, or lies outside of the range."""
    exact = Decimal(value)
    return exact if _fits(exact) else None


def whole(value: Decimal) -> int | None:
    """The number as an integer, 1.0 and 1e0 too; None when it is none."""
    return int(value) if value == value.to_integral_value() else None


def written(value: Decimal | int) -> str:
    """The one writing of a number: no exponent, no zeros at the end, and no -0."""
    if isinstance(value, int):
        return str(value)
    return format(_EXACT.normalize(value), "f") if value else "0"


def _fits(value: Decimal) -> bool:
    if not value:
        return True
    return len(_EXACT.normalize(value).as_tuple().digits) <= DIGITS and abs(value.adjusted()) <= RANGE
