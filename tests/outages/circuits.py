"""When which circuit was open, by the worker's log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

OPERATIONS = ("confirm", "cancel", "release")


@dataclass(frozen=True, slots=True)
class Open:
    """A circuit's time open, in monotonic seconds."""

    circuit: str
    since: float
    until: float

    def holds(self, operation: str) -> bool:
        """Whether calls of this operation wait for it: one of an operation is that operation's only."""
        return self.circuit not in OPERATIONS or self.circuit == operation


def opened(lines: Iterable[Mapping[str, Any]], moment: Callable[[str], float], end: float) -> list[Open]:
    """From the lines of one process, in their order; `moment` reads a line's time. What is open at the end is so to it.

    Refused credentials are a circuit, too, whether the log calls them so or has lines of their own for them.
    """
    since: dict[str, float] = {}
    found: list[Open] = []
    for line in lines:
        match line.get("event"), str(line.get("circuit", "credentials")):
            case (("circuit.opened" | "credentials.refused"), name):
                since.setdefault(name, moment(str(line["time"])))
            case (("circuit.closed" | "credentials.accepted"), name) if name in since:
                found.append(Open(name, since.pop(name), moment(str(line["time"]))))
    return found + [Open(name, began, end) for name, began in since.items()]


def monotonic(ahead: float) -> Callable[[str], float]:
    """Reads a line's time; `ahead` is how far the monotonic clock is ahead of the wall clock."""
    return lambda text: datetime.fromisoformat(text).timestamp() + ahead
