"""All that happened, in order: what two runs of a seed are compared by, and what is read when one fails."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, MutableMapping
from typing import Any, NoReturn

import structlog
from structlog.typing import FilteringBoundLogger

DEBUG = 10
EXCEPTION = "exc_info"


class Trace:
    """Steps, each with its moment (virtual seconds), who took it and what it was. `clock` gives the moments."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._steps: list[tuple[float, str, str, dict[str, Any]]] = []
        self.defects: list[str] = []

    def __len__(self) -> int:
        return len(self._steps)

    def note(self, who: str, what: str, /, **fields: Any) -> None:
        """One step. The fields' values are not to change afterwards."""
        self._steps.append((self._clock(), who, what, fields))

    def count(self, what: str, **fields: Any) -> int:
        """How often a step was taken, with these fields among its own."""
        return sum(step[2] == what and fields.items() <= step[3].items() for step in self._steps)

    def lines(self, last: int | None = None) -> list[str]:
        """The steps as text, all or the last ones."""
        return [_line(*step) for step in self._steps[-last if last else None :]]

    def digest(self) -> str:
        """The same for the same steps, and for no others."""
        return hashlib.sha256("\n".join(self.lines()).encode()).hexdigest()

    def log(self, who: str, alive: Callable[[], bool]) -> FilteringBoundLogger:
        """A worker's log, which goes in here; a process that is no more says nothing."""

        def keep(_: object, level: str, fields: MutableMapping[str, Any]) -> NoReturn:
            if alive():
                event = fields.pop("event")
                if fields.pop(EXCEPTION, None):
                    self.defects.append(f"{who}: {event} {fields}")
                self.note(who, f"log {event}", level=level, **fields)
            raise structlog.DropEvent

        wrapper = structlog.make_filtering_bound_logger(DEBUG)
        log: FilteringBoundLogger = structlog.wrap_logger(None, processors=[keep], wrapper_class=wrapper)
        return log


def _line(at: float, who: str, what: str, fields: dict[str, Any]) -> str:
    told = " ".join(f"{name}={value}" for name, value in fields.items())
    return f"{at:11.6f}  {who:<10} {what}  {told}".rstrip()
