"""When a call may go, and which goes first; what an answer means for the calls after it.

A call passes when Rokt has not asked all to wait, its circuit is closed or it is the canary, its operation's limit and
the fixed cap leave room, and the rates allow one more: confirm before cancel before release, each in the order in which
they came. Lives on the event loop; only `stops_reading` is asked from another thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from worker.errors import Abandoned
from worker.gate.circuit import Circuit, Closed, Notice, OpenCircuit
from worker.gate.quota import Slots
from worker.gate.rates import Rates
from worker.gate.road import Road
from worker.gate.traffic import Rules, Traffic
from worker.gate.turn import Turn
from worker.keys import Operation
from worker.stopping import Stop
from worker.telemetry.names import Cause
from worker.verdict import NOTHING_SPECIAL

LOOK_AGAIN_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class GateState:
    """How the gate stands: what is open, how many calls may go and wait, by operation, and what Rokt asked for.

    `calls_per_second` is what was learned of how many Rokt takes; None: nothing, it takes as many as there are.
    """

    circuits: Sequence[OpenCircuit]
    limits: Mapping[Operation, int]
    waiting: Mapping[Operation, int]
    under_way: int
    held_back_seconds: float
    calls_per_second: float | None


class Gate:
    """`clock` is monotonic seconds; `notify` hears of what changes for all calls; `quota` is the fleet's rate.

    `late`: how late the event loop has been in all, in seconds (worker/gate/lateness.py).
    """

    def __init__(
        self,
        rules: Rules,
        *,
        clock: Callable[[], float],
        notify: Callable[[Notice], None],
        quota: Slots | None = None,
        late: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._rules = rules
        self._clock = clock
        self._notify = notify
        self._late = late
        self._traffic = Traffic(rules)
        self._rates = Rates(quota)
        self._ready: dict[Turn, asyncio.Future[None]] = {}
        self._under_way = 0
        self._admitted = 0
        self._probe_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._look_at = 0.0  # uvloop's handles know it only until they are due

    @property
    def state(self) -> GateState:
        """How it stands at this moment."""
        now, roads = self._clock(), self._traffic.roads.values()
        return GateState(
            circuits=tuple(OpenCircuit(c.name, c.why or "", now - c.since) for c in self._traffic.open_circuits),
            limits={road.operation: road.limit.value for road in roads},
            waiting={road.operation: len(road.waiting) for road in roads},
            under_way=self._under_way,
            held_back_seconds=self._rates.held_back(now),
            calls_per_second=self._rates.calls_per_second,
        )

    def stops_reading(self, operation: Operation | None) -> frozenset[str]:
        """The open circuits for which no more events that ask for this are wanted; None: for anything.

        From any thread.
        """
        return self._traffic.stops_reading(operation)

    def shut_for(self, operation: Operation) -> bool:
        """Whether a call waits here for a canary anyhow."""
        return self._traffic.shut_for(operation) is not None

    def holds_up(self, operation: Operation) -> bool:
        """Whether a call waits here for a canary, or is one.

        Where none is left, since its partition went to another worker, nothing would ever tell that the outage is over.
        """
        circuit = self._traffic.shut_for(operation)
        waiting = self._traffic.roads[operation].waiting
        return circuit is not None and (bool(waiting) or circuit.canary is not None)

    def credentials_changed(self) -> None:
        """They are tried at once."""
        now = self._clock()
        self._traffic.credentials.changed(now, self._admitted)
        self._probe_at = now
        self.admit()

    def turn(self, turn: Turn, stop: Stop, *, finish: bool) -> Passage:
        """To be entered by each attempt, and left with `turn.answer` set; then `turn.standing` is what the others say.

        Entering waits, and raises Abandoned as `Stop.sleep` does.
        """
        return Passage(self, turn, stop, finish=finish)

    def settled(self, turn: Turn, *, rejected: bool) -> None:
        """A call is settled: whether Rokt rejected it."""
        now = self._clock()
        if (notice := self._traffic.settled(turn, now, rejected=rejected)) is not None:
            self._tell(notice, now)
            self.admit()

    async def enter(self, turn: Turn, stop: Stop, *, finish: bool) -> None:
        """Returns when an attempt may be made. Raises Abandoned."""
        if stop.asked and not finish:
            raise Abandoned("stopped before its call was made")
        now, road = self._clock(), self._traffic.roads[turn.operation]
        turn.came_at = now
        turn.held_by = None
        if self._is_free(road, now):
            self._goes(turn, now)
            return
        waiting = road.waiting
        waiting[turn] = None
        self.admit()
        if turn not in waiting:
            return
        turn.held_by = self._held_by(turn)
        ready = self._ready[turn] = asyncio.get_running_loop().create_future()
        try:
            await (ready if finish else stop.wait(ready))
        except BaseException:
            if turn in waiting:
                del waiting[turn]
                self._traffic.look()
            else:
                self.leave(turn)
            raise
        finally:
            del self._ready[turn]

    def leave(self, turn: Turn) -> None:
        """An attempt is over; what it tells is in `turn.answer`, None where it was not made."""
        now = self._clock()
        self._under_way -= 1
        turn.own_seconds = self._late() - turn.late_at
        self._traffic.roads[turn.operation].ended(turn)
        for notice in (*self._rates.hear(turn, now), *self._traffic.hear(turn, now, self._admitted)):
            self._tell(notice, now)
        self.admit()

    def admit(self) -> None:
        """Lets go whoever may go now."""
        now = self._clock()
        while self._traffic.is_awaited and (turn := self._next(now)) is not None:
            del self._traffic.roads[turn.operation].waiting[turn]
            self._goes(turn, now)
        if not self._traffic.all_closed:
            self._traffic.look()

    def _is_free(self, road: Road, now: float) -> bool:
        """Whether a call that comes now goes at once: nobody waits before it, and nothing holds it."""
        return (
            self._under_way < self._rules.max_concurrency
            and not self._traffic.is_awaited
            and self._traffic.all_closed
            and road.has_room(now)
            and self._rates.wait(now, 1) == 0.0
        )

    def _held_by(self, turn: Turn) -> Cause:
        """Why a call that waits may not go now."""
        now, road = self._clock(), self._traffic.roads[turn.operation]
        if self._traffic.shut_for(turn.operation) is not None:
            return "circuit"
        if self._rates.held_back(now) > 0:
            return "retry-after"
        full = self._under_way >= self._rules.max_concurrency or not road.has_room(now)
        return "concurrency" if full else "rate"

    def _tell(self, notice: Notice, now: float) -> None:
        if isinstance(notice, Closed):
            self._probe_at = now
        self._notify(notice)

    def _goes(self, turn: Turn, now: float) -> None:
        road = self._traffic.roads[turn.operation]
        self._under_way += 1
        self._admitted += 1
        turn.number = self._admitted
        turn.first = turn.first or turn.number
        turn.answer, turn.standing = None, NOTHING_SPECIAL
        if (circuit := self._traffic.shut_for(turn.operation)) is not None:
            circuit.set_out(turn)
            self._probe_at = now + self._rules.probe.initial_seconds
        turn.late_at = self._late()
        road.goes(turn, now)
        self._rates.goes(now)
        if (ready := self._ready.get(turn)) is not None and not ready.done():
            ready.set_result(None)

    def _next(self, now: float) -> Turn | None:
        """The most urgent call that may go now."""
        if self._under_way >= self._rules.max_concurrency:
            return None
        chosen = self._chosen(now)
        return chosen if chosen is not None and self._rates_allow(now) else None

    def _chosen(self, now: float) -> Turn | None:
        for circuit in self._traffic.everybodys:
            if circuit.is_open:
                return self._canary(circuit, self._traffic.everybody(), now)
        for road in self._traffic.in_turn(self._admitted, now):
            if road.circuit.is_open:
                if (canary := self._canary(road.circuit, iter(road.waiting), now)) is not None:
                    return canary
            elif road.has_room(now):
                return next(iter(road.waiting))
            elif (room_at := road.room_at) is not None:
                self._again_in(room_at - now)
        return None

    def _canary(self, circuit: Circuit, waiting: Iterator[Turn], now: float) -> Turn | None:
        """One call at a time for the circuit, and one in a while for all of them."""
        if circuit.canary is not None:
            return None
        if (wait := max(circuit.next_try_at, self._probe_at) - now) > 0:
            self._again_in(wait)
            return None
        return circuit.choose(waiting)

    def _rates_allow(self, now: float) -> bool:
        wait = self._rates.wait(now, self._traffic.waiting)
        if wait:
            self._again_in(wait)
        return wait == 0.0

    def _again_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time() + min(seconds, LOOK_AGAIN_SECONDS)
        if self._timer is not None:
            if self._look_at <= at:
                return
            self._timer.cancel()
        self._timer, self._look_at = loop.call_at(at, self._due), at

    def _due(self) -> None:
        self._timer = None
        self.admit()


class Passage:
    """Around one attempt."""

    __slots__ = ("_finish", "_gate", "_stop", "_turn")

    def __init__(self, gate: Gate, turn: Turn, stop: Stop, *, finish: bool) -> None:
        self._gate = gate
        self._turn = turn
        self._stop = stop
        self._finish = finish

    async def __aenter__(self) -> None:
        await self._gate.enter(self._turn, self._stop, finish=self._finish)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gate.leave(self._turn)
