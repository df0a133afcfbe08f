"""A circuit: while it is open nothing goes but one canary at a time, at growing intervals. Pure; times are given.

The pattern is Nygard's circuit breaker (Release It!); half-open is one call long, and what follows its success is a
slow start of the concurrency (worker/gate/limit.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from worker.gate.turn import Turn
from worker.keys import Operation
from worker.retry import Backoff

CircuitName = Operation | Literal["credentials", "rejections"]


@dataclass(frozen=True, slots=True)
class OpenCircuit:
    """A circuit that has been open for so many seconds."""

    circuit: CircuitName
    why: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Opened:
    """From now on nothing goes but canaries; the first one after so many seconds."""

    circuit: CircuitName
    why: str
    next_try_seconds: float


@dataclass(frozen=True, slots=True)
class StillOpen:
    """So many canaries were not taken."""

    circuit: CircuitName
    why: str
    tries: int
    next_try_seconds: float


@dataclass(frozen=True, slots=True)
class Closed:
    """A canary was taken, after so many seconds."""

    circuit: CircuitName
    open_seconds: float


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Rokt asked every caller to wait (Retry-After), in seconds, bounded."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Paced:
    """Rokt takes no more calls than so many a second; None: as many as there are, again."""

    per_second: float | None


Notice = Opened | StillOpen | Closed | HeldBack | Paced


class Circuit:
    """`probe` gives the intervals between canaries; there is one caller, so no jitter.

    While it `is_open` only canaries go.
    """

    def __init__(self, name: CircuitName, probe: Backoff) -> None:
        self.name = name
        self.is_open = False
        self.why: str | None = None
        self.since = 0.0
        self.next_try_at = 0.0
        self.canary: Turn | None = None
        self.untried = False
        self._probe = probe
        self._tries = 0
        self._openings = 0

    def open(self, why: str, now: float) -> Opened:
        """Opens."""
        self.is_open, self.why, self.since, self._tries = True, why, now, 1
        self._openings += 1
        self.next_try_at = now + self._probe.ceiling(1)
        return Opened(self.name, why, self._probe.ceiling(1))

    def close(self, now: float) -> Closed:
        """Closes: a canary was taken."""
        self.is_open, self.why, self.canary = False, None, None
        return Closed(self.name, now - self.since)

    def choose(self, waiting: Iterable[Turn]) -> Turn | None:
        """The next canary: one that was none yet in this opening, else the one that waits longest.

        So a call that fails by its own fault cannot keep the circuit open.
        """
        longest: Turn | None = None
        for turn in waiting:
            if turn.tried != self._opening:
                return turn
            longest = longest or turn
        return longest

    def look(self, waiting: Iterable[Turn]) -> None:
        """Notes whether a call waits that can still tell something new."""
        self.untried = any(turn.tried != self._opening for turn in waiting)

    @property
    def stops_reading(self) -> bool:
        """Whether no more events are wanted: a call waits that can still tell something new.

        Where each call in hand was a canary already, only a new event can tell that Rokt is back for others.
        """
        return self.is_open and self.untried

    def set_out(self, turn: Turn) -> None:
        """A canary goes."""
        self.canary = turn
        turn.tried = self._opening

    def came_back(self, turn: Turn, now: float, why: str | None) -> StillOpen | None:
        """An attempt has ended that did not close the circuit. Without a `why` it told nothing: it was not made."""
        if self.canary is not turn:
            return None
        self.canary = None
        if why is None:
            return None
        self.why = why
        self._tries += 1
        wait = self._probe.ceiling(self._tries)
        self.next_try_at = now + wait
        return StillOpen(self.name, why, self._tries, wait)

    def try_at_once(self, now: float) -> None:
        """Something has changed: the next canary need not wait."""
        self.next_try_at = min(self.next_try_at, now)
        self._tries = min(self._tries, 1)

    @property
    def _opening(self) -> tuple[str, int]:
        return self.name, self._openings
