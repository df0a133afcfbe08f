"""Letters in hand: in order within a cart, side by side otherwise, and each marked once it is settled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from msgspec.structs import replace
from structlog.testing import CapturingLogger

from infra.dead_letters_written import REFUSED, SOURCE, about, letter
from infra.events import completed, encoded
from unit.test_dlq_selecting import Shelf
from worker.decode.decoder import Decoded, Decoder
from worker.dlq.hand import Hand
from worker.dlq.letter import Letter
from worker.dlq.marking import TAKEN_SECONDS, Marking
from worker.dlq.marks import Mark, identity, room, understood, written
from worker.dlq.selecting import Found
from worker.errors import Abandoned, LedgerUnavailable, WorkerError
from worker.ledger.patience import Patience
from worker.pipeline import Later, Pipeline
from worker.retry import Backoff
from worker.stopping import Stop
from worker.surroundings import Surroundings
from worker.work import Fate, Work


@dataclass
class Way:
    """A pipeline that does as it is told, and notes who came when."""

    fate: Fate = "succeeded"
    does: Callable[[Work], Coroutine[Any, Any, Later | None]] | None = None
    begun: list[str] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)
    at_once: int = 0
    most: int = 0

    async def decode(self, work: Work) -> Decoded:
        return await Decoder({}, None).decode("orders", work.record.value)

    async def settle(self, work: Work) -> Later | None:
        self.begun.append(work.cart_id or "?")
        self.works.append(work)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(0.001)
            if self.does is not None and (later := await self.does(work)) is not None:
                return later
        finally:
            self.at_once -= 1
        work.came(self.fate)
        return None


class Scene:
    """A hand with room for four."""

    def __init__(self, way: Way, shelf: Shelf | None = None, owner: str = "me") -> None:
        self.shelf = shelf or Shelf()
        self.stop = Stop()
        log = cast("Any", CapturingLogger())
        around = Surroundings(cast("Any", None), Backoff(0.001, 0.001), lambda: 1.0, _clock, cast("Any", None), log)
        self.marking = Marking(self.shelf, Patience(around), owner)
        pipeline = cast("Pipeline", way)
        self.hand = Hand(pipeline, self.marking, self.stop, room=4, clock=_clock, log=log)

    async def redrive(self, *letters: Letter, mark: Mark | None = None) -> None:
        for each in letters:
            await self.hand.take(Found(each, mark, None))
        await self.hand.finished(1)

    def mark(self, of: Letter) -> Mark | None:
        return understood(self.shelf.rooms.get(room("orders.dlq", 0), {}).get(of.place.offset), of)


def _clock() -> float:
    return asyncio.get_running_loop().time()


def of(cart: str, offset: int, **more: Any) -> Letter:
    return letter(replace(SOURCE, value=encoded(completed(cart))), REFUSED, offset=offset, **more)


def keyless(offset: int) -> Letter:
    return letter(SOURCE, about("undecodable"), offset=offset)


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), 10))


def test_each_goes_its_way_as_a_redrive_and_is_marked() -> None:
    async def scene() -> None:
        way = Way()
        at = Scene(way)
        ada = of("ada", 3, redrives=2)
        await at.redrive(ada, keyless(4))
        first, second = way.works
        assert (first.record, first.redrives, first.failing) == (ada.original, 3, ada.failing)
        assert first.redo is not None
        assert first.redo.key == "key-1"
        assert second.redo is None
        mark = at.mark(ada)
        assert mark is not None
        assert (mark.state, mark.result) == ("redriven", "succeeded")
        assert at.hand.tally.results == {"succeeded": 2}
        assert at.hand.count == 0

    run(scene)


def test_one_carts_letters_keep_their_order_and_others_run_beside_them() -> None:
    async def scene() -> None:
        way = Way()
        at = Scene(way)
        await at.redrive(*(of(f"cart-{n % 3}", n) for n in range(30)))
        assert way.most == 3
        places = [(work.cart_id, work.record.offset) for work in way.works]
        assert len(places) == 30
        order = [n for n, work in enumerate(way.works) if work.cart_id == "cart-1"]
        assert order == sorted(order)

    run(scene)


def test_there_are_never_more_in_hand_than_there_is_room_for() -> None:
    async def scene() -> None:
        way = Way()
        at = Scene(way)
        for n in range(20):
            await at.hand.take(Found(of(f"cart-{n}", n), None, None))
            assert at.hand.count <= 4
        await at.hand.finished(1)
        assert way.most <= 4
        assert at.hand.tally.results.total() == 20

    run(scene)


def test_who_is_to_come_back_lets_the_next_of_his_cart_go_first() -> None:
    async def scene() -> None:
        async def later_once(work: Work) -> Later | None:
            if work.looks == 0 and work.redrives == 1:
                work.looks += 1
                return Later(0.01)
            return None

        way = Way(does=later_once)
        at = Scene(way)
        await at.redrive(of("ada", 0), of("ada", 1, redrives=1))
        assert [work.redrives for work in way.works] == [1, 2, 1]
        assert at.hand.tally.results == {"succeeded": 2}

    run(scene)


@pytest.mark.parametrize("state", ["redriven", "discarded"])
def test_what_was_done_meanwhile_is_left_alone(state: Any) -> None:
    async def scene() -> None:
        way = Way()
        at = Scene(way)
        ada = of("ada", 0)
        await at.shelf.keep(room("orders.dlq", 0), {0: written(Mark(state, identity(ada), 1))})
        await at.redrive(ada)
        assert way.works == []
        assert at.hand.tally.left == {"done meanwhile": 1}

    run(scene)


def test_two_redrives_do_not_give_up_the_same_record_twice() -> None:
    async def scene() -> None:
        way = Way()
        one = Scene(way)
        other = Scene(way, one.shelf, "another")
        await asyncio.gather(one.redrive(keyless(0)), other.redrive(keyless(0)))
        assert len(way.works) == 1
        assert one.hand.tally.left.total() + other.hand.tally.left.total() == 1

    run(scene)


def test_what_a_killed_redrive_had_taken_is_free_after_a_while() -> None:
    async def scene() -> None:
        at = Scene(Way())
        dead = Mark("taken", identity(keyless(0)), 0, until_ms=int(TAKEN_SECONDS * 1000))
        await at.shelf.keep(room("orders.dlq", 0), {0: written(dead)})
        await at.redrive(keyless(0), mark=dead)
        assert at.hand.tally.results == {"succeeded": 1}

    run(scene)


def test_a_stop_leaves_what_waits_as_it_was() -> None:
    async def scene() -> None:
        async def never(work: Work) -> Later | None:
            await at.stop.wait(asyncio.get_running_loop().create_future())
            return None

        at = Scene(Way(does=never))
        for each in (of("ada", 0), of("ada", 1), keyless(2)):
            await at.hand.take(Found(each, None, None))
        await asyncio.sleep(0.05)
        at.stop.ask()
        with pytest.raises(Abandoned):
            await at.hand.take(Found(of("bob", 3), None, None))
        await at.hand.finished(1)
        assert at.hand.tally.unsettled == 3
        assert at.mark(of("ada", 0)) is None
        again = Scene(Way(), at.shelf, "another")
        await again.redrive(keyless(2))
        assert again.hand.tally.results == {"succeeded": 1}

    run(scene)


def test_what_does_not_end_is_cut_off_when_its_time_is_over() -> None:
    async def scene() -> None:
        async def for_ever(_: Work) -> Later | None:
            await asyncio.sleep(3600)
            return None

        at = Scene(Way(does=for_ever))
        await at.hand.take(Found(of("ada", 0), None, None))
        await asyncio.sleep(0.01)
        at.stop.ask()
        await at.hand.finished(0.05)
        assert at.hand.tally.unsettled == 1

    run(scene)


def test_a_defect_stops_one_letter_and_what_cannot_be_waited_out_stops_all() -> None:
    async def scene() -> None:
        async def breaks(work: Work) -> Later | None:
            raise ZeroDivisionError if work.cart_id == "bad" else WorkerError("of a later version")

        at = Scene(Way(does=breaks))
        await at.redrive(of("bad", 0))
        assert (at.hand.tally.defects, at.hand.failure) == (1, None)
        await at.redrive(of("ada", 1))
        assert str(at.hand.failure) == "of a later version"
        assert at.stop.asked

    run(scene)


def test_a_ledger_that_is_away_is_waited_for() -> None:
    class Away(Shelf):
        def __init__(self) -> None:
            super().__init__()
            self.failures = 3

        async def keep(self, room: str, values: Any) -> None:
            self.failures -= 1
            if self.failures >= 0:
                raise LedgerUnavailable("away", "bring it back")
            await super().keep(room, values)

    async def scene() -> None:
        at = Scene(Way(), Away())
        await at.redrive(of("ada", 0), of("bob", 1))
        assert at.hand.tally.results == {"succeeded": 2}
        assert at.mark(of("ada", 0)) is not None

    run(scene)


def test_who_is_cut_off_while_he_writes_leaves_the_others_marks_to_be_written() -> None:
    class Slow(Shelf):
        def __init__(self) -> None:
            super().__init__()
            self.asked = asyncio.Event()

        async def keep(self, room: str, values: Any) -> None:
            if not self.asked.is_set():
                self.asked.set()
                await asyncio.sleep(3600)
            await super().keep(room, values)

    async def scene() -> None:
        shelf = Slow()
        at = Scene(Way(), shelf)
        ada, bob = of("ada", 0), of("bob", 1)
        first = asyncio.create_task(at.marking.redriven(ada, "succeeded", None))
        await shelf.asked.wait()
        second = asyncio.create_task(at.marking.redriven(bob, "succeeded", None))
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert at.mark(ada) is not None
        assert at.mark(bob) is not None

    run(scene)
