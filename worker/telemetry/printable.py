"""Text for a terminal. Pure."""

from __future__ import annotations


def printable(text: str) -> str:
    """Without what moves the cursor, colours the terminal or turns the direction of writing; lines stay lines."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
