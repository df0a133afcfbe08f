"""Whatever ends an attempt or a wait, and whenever: no place is lost, none is given twice, nobody waits in vain."""

import asyncio
from random import Random

import pytest

from infra.gate_calls import BROKEN, CONFLICT, DENIED, REFUSED, TAKEN, THROTTLED, UNREACHED, Calls, Sent, held, rules
from infra.virtual_loop import run
from worker.errors import Abandoned
from worker.gate.turn import URGENCY, Turn
from worker.rokt.answers import Answer
from worker.stopping import Stop

CAP = 12
PHASES: list[list[Answer]] = [
    [TAKEN],
    [BROKEN, UNREACHED],
    [DENIED],
    [REFUSED, CONFLICT],
    [TAKEN, TAKEN, TAKEN, BROKEN, THROTTLED, DENIED, REFUSED],
    [TAKEN, BROKEN],
    [TAKEN, held(3.0)],
]


class Storm:
    """Calls that come, go, are cancelled and stopped at random moments, under an ever changing Rokt."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.calls = Calls(self.answer, rules(concurrency=CAP, attempts=3, rejections=5))
        self.phase = PHASES[0]
        self.inside: set[Turn] = set()
        self.tasks: dict[asyncio.Task[None], None] = {}  # in the order in which they began
        self.stops = [Stop()]

    def answer(self, _: Sent) -> Answer:
        return self.chance.choice(self.phase)

    async def call(self, turn: Turn, *, finish: bool) -> None:
        gate, stop = self.calls.gate, self.chance.choice(self.stops)
        for _ in range(self.chance.randint(1, 9)):
            async with gate.turn(turn, stop, finish=finish):
                self.inside.add(turn)
                self.check()
                try:
                    await asyncio.sleep(self.chance.choice([0.0, 0.001, 0.1, 0.5, 5.0]))
                    turn.answer = self.chance.choice(self.phase)
                    if self.chance.random() < 0.05:
                        raise ZeroDivisionError
                finally:
                    self.inside.discard(turn)
            self.check()
            rejected = turn.answer in (REFUSED, CONFLICT) and not turn.standing.all_rejected
            if rejected or turn.answer == TAKEN:
                gate.settled(turn, rejected=rejected)
                return

    def begin(self) -> None:
        turn = Turn(self.chance.choice(URGENCY), f"cart-{self.chance.randrange(20)}")
        task = asyncio.ensure_future(self.call(turn, finish=self.chance.random() < 0.2))
        self.tasks[task] = None
        task.add_done_callback(self.over)

    def over(self, task: asyncio.Task[None]) -> None:
        self.tasks.pop(task)
        if not task.cancelled() and not isinstance(task.exception(), Abandoned | ZeroDivisionError | None):
            raise AssertionError from task.exception()

    def stop(self) -> None:
        """A stop for those who have it; those who come later have another."""
        self.chance.choice(self.stops).ask()
        self.stops = [one for one in self.stops if not one.asked] + [Stop()]

    def cancel(self) -> None:
        for task in self.chance.sample(list(self.tasks), min(3, len(self.tasks))):
            task.cancel()

    def check(self) -> None:
        """What holds at every moment. One that was granted and has not begun yet counts as under way."""
        gate = self.calls.gate
        traffic = gate._traffic
        waiting = {turn for road in traffic.roads.values() for turn in road.waiting}
        assert 0 <= len(self.inside) <= gate._under_way <= CAP
        assert sum(len(road._under_way) for road in traffic.roads.values()) <= gate._under_way
        assert not waiting & self.inside
        assert waiting <= gate._ready.keys()
        circuits = (*traffic.everybodys, *(road.circuit for road in traffic.roads.values()))
        for circuit in circuits:
            assert circuit.canary is None or circuit.is_open
            assert circuit.canary not in waiting

    async def rage(self, steps: int) -> None:
        for _ in range(steps):
            for _ in range(self.chance.randrange(4)):
                self.begin()
            act = self.chance.random()
            if act < 0.15:
                self.cancel()
            elif act < 0.18:
                self.stop()
            elif act < 0.22:
                self.phase = self.chance.choice(PHASES)
            elif act < 0.24:
                self.calls.gate.credentials_changed()
            self.check()
            await asyncio.sleep(self.chance.choice([0.0, 0.0, 0.01, 0.3]))
            self.check()

    async def calm(self) -> None:
        """Rokt takes everything: whoever waits gets through, and the gate is as it was at first."""
        self.phase = [TAKEN]
        async with asyncio.timeout(3600):
            while self.tasks:
                await asyncio.wait(set(self.tasks))
        gate = self.calls.gate
        assert (gate._under_way, gate._ready, gate._traffic.waiting) == (0, {}, 0)
        assert all(not road._under_way for road in gate._traffic.roads.values())


@pytest.mark.parametrize("seed", range(25))
def test_in_a_storm_of_answers_cancels_and_stops_no_place_is_lost_and_everybody_gets_through(seed: int) -> None:
    async def main() -> None:
        storm = Storm(seed)
        await storm.rage(400)
        await storm.calm()
        calls = storm.calls
        for operation in URGENCY:
            await calls.attempt(Turn(operation, "last"), TAKEN)
        for number in range(10):
            turn = Turn("confirm", f"after-{number}")
            await calls.attempt(turn, TAKEN)
            calls.gate.settled(turn, rejected=False)
        assert len([sent for sent in calls.sent if sent.cart.startswith("after")]) == 10

    run(main)
