"""Whether Rokt takes our credentials, by its answers (401, 403). Pure.

A refusal may be about one call alone: it is, when that call was refused before, and since then another one that set
out later was taken; all with the same credentials.
"""

from __future__ import annotations

from worker.gate.circuit import Circuit, Notice
from worker.gate.turn import Turn
from worker.retry import Backoff
from worker.rokt.answers import Denied


class Credentials:
    """A circuit that opens at the first refusal, and closes when a canary is taken."""

    def __init__(self, probe: Backoff) -> None:
        self.circuit = Circuit("credentials", probe)
        self._last_taken = 0
        self._changed_at = 0

    def changed(self, now: float, admitted: int) -> None:
        """Others are used from now on, after so many attempts: they are tried at once."""
        self._changed_at = admitted
        self.circuit.try_at_once(now)

    def refused_alone(self, turn: Turn) -> bool:
        """Whether a refusal is about this call alone."""
        return turn.refused_at is not None and self._changed_at <= turn.refused_at < self._last_taken < turn.number

    def taken(self, turn: Turn, now: float) -> Notice | None:
        """An answer came that refuses nothing of the kind."""
        self._last_taken = max(self._last_taken, turn.number)
        return self.circuit.close(now) if self.circuit.is_open and self.circuit.canary is turn else None

    def refused(self, turn: Turn, answer: Denied, now: float, admitted: int) -> Notice | None:
        """A refusal came, when so many attempts had been admitted."""
        if turn.number <= self._changed_at:  # it set out with others than are used now
            self.circuit.came_back(turn, now, None)
            return None
        if self.refused_alone(turn):
            return self.circuit.came_back(turn, now, self.circuit.why)
        turn.refused_at = admitted
        why = f"Rokt answered {answer.status}"
        return self.circuit.came_back(turn, now, why) if self.circuit.is_open else self.circuit.open(why, now)
