"""What holds for the calls of one operation: who waits, who is under way, the circuit, the limit. Pure.

An endpoint may fail while the others work, so each operation has a circuit and a limit of its own.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from worker.gate.circuit import Circuit, Closed, Notice
from worker.gate.limit import Limit
from worker.gate.others import Failures, Latest
from worker.gate.turn import Turn
from worker.keys import Operation
from worker.retry import Backoff

START: Final = 10
SLOW_SECONDS: Final = 1.0
SLOW_TIMES: Final = 4.0
OWN_TIMES: Final = 2.0
"""Of an answer that did not take Rokt so many times what it waited for this process, the time says nothing."""


class Road:
    """`waiting` are the turns that have not gone, in the order in which they came."""

    def __init__(self, operation: Operation, ceiling: int, probe: Backoff) -> None:
        self.operation = operation
        self.waiting: OrderedDict[Turn, None] = OrderedDict()
        self.circuit = Circuit(operation, probe)
        self.limit = Limit(ceiling, min(START, ceiling))
        self.latest = Latest()
        self._failures = Failures()
        self._under_way: OrderedDict[Turn, None] = OrderedDict()

    @property
    def longest_since(self) -> float:
        """When the first of those who wait came."""
        return next(iter(self.waiting)).came_at

    def has_room(self, now: float) -> bool:
        """Whether one more may go.

        A call that takes much longer than the others takes no room from them: a cart that hangs holds up nobody, and
        the fixed cap still counts it.
        """
        if len(self._under_way) < self.limit.value:
            return True
        while (room_at := self.room_at) is not None and room_at <= now:
            self._under_way.popitem(last=False)
        return len(self._under_way) < self.limit.value

    @property
    def room_at(self) -> float | None:
        """When room is made at the latest: the oldest call under way is slow by then."""
        return next(iter(self._under_way)).sent_at + self._slow_after if self._under_way else None

    def goes(self, turn: Turn, now: float) -> None:
        """An attempt sets out."""
        turn.sent_at = now
        self._under_way[turn] = None
        turn.reached = not self.has_room(now)

    def ended(self, turn: Turn) -> None:
        """An attempt is over."""
        self._under_way.pop(turn, None)

    def answered(self, turn: Turn, now: float, admitted: int, *, done: bool) -> Closed | None:
        """Rokt did what it was asked, or said why not; either way this endpoint works."""
        self._failures.answered()
        closes = self.circuit.canary is turn and self.circuit.is_open
        if closes:
            self.latest.begin_again()
        if done:
            self.latest.heard(turn, admitted, good=True)
        if closes:
            self._failures.begin_again()
            self.limit.begin_again(now)
            return self.circuit.close(now)
        took = now - turn.sent_at - turn.own_seconds
        known = took > OWN_TIMES * turn.own_seconds
        self.limit.heard(now, sent_at=turn.sent_at, took=took if known else None, pressure=False, reached=turn.reached)
        return None

    def failed(self, turn: Turn, now: float, admitted: int, why: str) -> Notice | None:
        """No answer, or one that says nothing of the call."""
        if self.circuit.is_open:
            self.latest.heard(turn, admitted, good=False)
            return self.circuit.came_back(turn, now, why)
        self.limit.heard(now, sent_at=turn.sent_at, took=None, pressure=True, reached=turn.reached)
        if not turn.news:
            return None
        self._count(turn, now, admitted)
        self.latest.heard(turn, admitted, good=False)
        if self._failures.failed(turn.cart):
            return self.circuit.open(f"the last {self._failures.run} calls failed: {why}", now)
        return None

    def is_poison(self, turn: Turn, max_attempts: int, now: float) -> bool:
        """Whether a call that fails again has failed often enough while others succeed."""
        return not self.circuit.is_open and self.latest.blame(turn, max_attempts, now)

    def _count(self, turn: Turn, now: float, admitted: int) -> None:
        """Counts a failure against a call, unless others fail as well."""
        if not self.latest.thrive_besides(turn.cart):
            turn.failures, turn.strikes, turn.struck_at = 0, 0, None
            return
        if turn.failures == 0:
            turn.failing_since = now
        turn.failures += 1
        if turn.struck_at is None or self.latest.taken_besides(turn.cart, turn.struck_at):
            turn.strikes, turn.struck_at = turn.strikes + 1, admitted

    @property
    def _slow_after(self) -> float:
        return max(SLOW_SECONDS, SLOW_TIMES * (self.limit.mean_seconds or 0.0))
