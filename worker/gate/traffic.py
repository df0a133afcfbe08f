"""What an answer means for the calls after it: circuits, limits, who is to blame. Pure; times are monotonic seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from worker.gate.circuit import Circuit, Notice
from worker.gate.credentials import Credentials
from worker.gate.others import Rejections
from worker.gate.road import Road
from worker.gate.turn import URGENCY, Turn
from worker.keys import Operation
from worker.retry import Backoff
from worker.rokt.answers import Accepted, Conflict, Denied, Failed, Refused, Throttled
from worker.verdict import Standing

LAST_FIRST_EVERY: Final = 10
LONG_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Rules:
    """`probe` and `denied` give the intervals between canaries in an outage, and while credentials are refused.

    `max_attempts`: failures, while others succeed, that make a call poison. `rejections`: settled calls, each of
    another cart, that were all rejected, and so make a fault of set-up; 0 is never.
    """

    max_concurrency: int
    max_attempts: int
    rejections: int
    probe: Backoff
    denied: Backoff


class Traffic:
    """The roads of all operations, and the two circuits that close all of them."""

    def __init__(self, rules: Rules) -> None:
        self.roads = {operation: Road(operation, rules.max_concurrency, rules.probe) for operation in URGENCY}
        self.credentials = Credentials(rules.denied)
        self.rejected = Circuit("rejections", rules.probe)
        self.everybodys: Final = (self.credentials.circuit, self.rejected)
        """The circuits that hold for every call."""
        self._roads = tuple(self.roads.values())
        self._circuits = (*self.everybodys, *(road.circuit for road in self._roads))
        self._rejections = Rejections(rules.rejections)
        self._rules = rules

    @property
    def open_circuits(self) -> tuple[Circuit, ...]:
        """Those that are open."""
        return tuple(circuit for circuit in self._circuits if circuit.is_open)

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return sum(len(road.waiting) for road in self._roads)

    @property
    def is_awaited(self) -> bool:
        """Whether any call waits."""
        for road in self._roads:  # noqa: SIM110 - asked twice a call, and a generator takes five times as long
            if road.waiting:
                return True
        return False

    @property
    def all_closed(self) -> bool:
        """Whether no circuit is open."""
        for circuit in self._circuits:  # noqa: SIM110 - as above
            if circuit.is_open:
                return False
        return True

    def in_turn(self, admitted: int, now: float) -> Sequence[Road]:
        """The roads on which somebody waits, the most urgent first.

        Every so many calls the last go first where they have waited long: scarce calls may not starve them, since an
        event behind one of them may be an urgent one of the same cart.
        """
        roads = [road for road in self._roads if road.waiting]
        if len(roads) > 1 and admitted % LAST_FIRST_EVERY == 0 and now - roads[-1].longest_since >= LONG_SECONDS:
            roads.reverse()
        return roads

    def everybody(self) -> Iterator[Turn]:
        """Those who wait, the most urgent first."""
        return chain.from_iterable(road.waiting for road in self.roads.values())

    def shut_for(self, operation: Operation) -> Circuit | None:
        """The open circuit that the calls of this operation wait for first."""
        if self.credentials.circuit.is_open:
            return self.credentials.circuit
        if self.rejected.is_open:
            return self.rejected
        circuit = self.roads[operation].circuit
        return circuit if circuit.is_open else None

    def stops_reading(self, operation: Operation | None) -> frozenset[str]:
        """The open circuits for which no more events that ask for this are wanted; None: for anything."""
        circuits = self.everybodys if operation is None else (*self.everybodys, self.roads[operation].circuit)
        return frozenset(circuit.name for circuit in circuits if circuit.stops_reading)

    def look(self) -> None:
        """Notes for open circuits what is asked from outside."""
        for circuit in self.everybodys:
            if circuit.is_open:
                circuit.look(self.everybody())
        for road in self._roads:
            if road.circuit.is_open:
                road.circuit.look(road.waiting)

    def hear(self, turn: Turn, now: float, admitted: int) -> Sequence[Notice]:
        """An attempt has ended with `turn.answer`, when so many had been admitted; sets `turn.standing`."""
        match turn.answer:
            case None:
                for circuit in (*self.everybodys, self.roads[turn.operation].circuit):
                    circuit.came_back(turn, now, None)
                return ()
            case Denied() as answer:
                told = self._denied(turn, answer, now, admitted)
            case Throttled() | Failed() as answer:
                told = self._failed(turn, answer, now, admitted)
            case answer:
                told = self._answered(turn, answer, now, admitted)
        return [notice for notice in told if notice is not None]

    def settled(self, turn: Turn, now: float, *, rejected: bool) -> Notice | None:
        """A call is settled: whether Rokt rejected it."""
        if rejected and self._rejections.settled(turn.cart, rejected=True) and not self.rejected.is_open:
            count = self._rules.rejections
            return self.rejected.open(f"the last {count} calls, each of another cart, were all rejected", now)
        if not rejected:
            self._rejections.settled(turn.cart, rejected=False)
            if self.rejected.is_open:
                self._try_all(now)
                return self.rejected.close(now)
        return None

    def _answered(
        self, turn: Turn, answer: Accepted | Refused | Conflict, now: float, admitted: int
    ) -> tuple[Notice | None, ...]:
        """Rokt works, and takes the credentials."""
        rejections: Notice | None = None
        if isinstance(answer, Accepted):
            rejections = self.settled(turn, now, rejected=False)
        elif self.rejected.is_open:
            turn.standing = Standing(all_rejected=True)
            rejections = self.rejected.came_back(turn, now, self.rejected.why)
        credentials = self.credentials.taken(turn, now)
        road = self.roads[turn.operation].answered(turn, now, admitted, done=not isinstance(answer, Refused))
        if credentials is not None or road is not None:
            self._try_all(now)
        return rejections, credentials, road

    def _denied(self, turn: Turn, answer: Denied, now: float, admitted: int) -> tuple[Notice | None, ...]:
        turn.standing = Standing(refused_alone=self.credentials.refused_alone(turn))
        for circuit in (self.rejected, self.roads[turn.operation].circuit):
            circuit.came_back(turn, now, None)
        return (self.credentials.refused(turn, answer, now, admitted),)

    def _failed(self, turn: Turn, answer: Throttled | Failed, now: float, admitted: int) -> tuple[Notice | None, ...]:
        road = self.roads[turn.operation]
        why = answer.detail if isinstance(answer, Failed) else f"Rokt answered {answer.status}"
        everybodys = [circuit.came_back(turn, now, circuit.why) for circuit in self.everybodys]
        own = road.failed(turn, now, admitted, why)
        if turn.news and road.is_poison(turn, self._rules.max_attempts, now):
            turn.standing = Standing(poison=True)
        return *everybodys, own

    def _try_all(self, now: float) -> None:
        """One circuit has closed: what the others wait for may be over too."""
        for circuit in self.open_circuits:
            circuit.try_at_once(now)
