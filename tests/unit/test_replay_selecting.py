"""What of a stretch a replay is about: the carts and orders that were asked for, and what is to be made again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

from infra.events import abandoned, cancelled, completed, encoded
from worker.decode.decoder import Decoded, Decoder
from worker.events import CartAbandoned, CheckoutCompleted
from worker.ledger.entries import Before, Redo
from worker.mapping import call_key
from worker.pipeline import Later, Pipeline
from worker.record import Record
from worker.replay.plan import Wanted
from worker.replay.selecting import Selecting
from worker.stopping import Stop
from worker.telemetry.names import Status
from worker.work import Work

LATER = Later(1.0)
DECODER = Decoder({"orders": None}, None)
NAMED = {"ada": 0, "bob": 2, "eve": 3}


class Steps:
    """A pipeline and its ledger, in which these are settled, by status; all other calls succeed."""

    def __init__(self, **statuses: Status) -> None:
        self.asked: list[int] = []
        self.settled_now: list[int] = []
        self._before = {
            key_of(offset): Before(b"", statuses[name]) for name, offset in NAMED.items() if name in statuses
        }

    async def decode(self, work: Work) -> Decoded:
        return await DECODER.decode("orders", work.record.value)

    async def settled(self, keys: Sequence[str]) -> dict[str, Before]:
        self.asked.append(len(keys))
        return {key: self._before[key] for key in keys if key in self._before}

    async def settle(self, work: Work) -> Later | None:
        self.settled_now.append(work.record.offset)
        if work.record.offset == 0:
            return LATER
        work.came("succeeded")
        return None


def key_of(offset: int) -> str:
    event = asyncio.run(DECODER.decode("orders", VALUES[offset]))
    assert isinstance(event, CheckoutCompleted | CartAbandoned)
    key = call_key(event)
    assert key is not None
    return key


VALUES = (
    encoded(completed("ada")),
    encoded(completed("ada")),
    encoded(completed("bob")),
    encoded(abandoned("eve")),
    encoded(cancelled("bob")),
    b"{",
    None,
)


def work(offset: int) -> Work:
    return Work(Record("orders", 0, offset, None, VALUES[offset], (), 0), Stop())


async def read(wanted: Wanted, steps: Steps) -> tuple[Selecting, list[Work]]:
    selecting = Selecting(cast("Pipeline", steps), steps, wanted)
    works = [work(offset) for offset in range(len(VALUES))]
    for each in works:
        each.decoded = await selecting.decode(each)
    return selecting, works


def test_what_is_settled_is_told_by_its_key_and_every_other_record_goes_its_way() -> None:
    steps = Steps(ada="succeeded", eve="superseded")

    async def go() -> None:
        selecting, works = await read(Wanted(0), steps)
        assert await selecting.settled_before(works) == {0, 1, 3}
        assert steps.asked == [3], "the same event came twice; a cancel is of several calls"
        assert await selecting.settle(works[2]) is None
        assert [selecting.part(w) for w in works[:4]] == 2 * ["settled before"] + ["succeeded", "settled before"]
        assert selecting.part(works[6]) == "skipped"

    asyncio.run(go())


def test_what_has_to_come_back_comes_back() -> None:
    steps = Steps()

    async def go() -> None:
        selecting, works = await read(Wanted(0), steps)
        assert await selecting.settled_before(works) == set()
        assert await selecting.settle(works[0]) is LATER

    asyncio.run(go())


def test_what_was_not_asked_for_is_passed_over_in_a_group_and_one_by_one() -> None:
    steps = Steps(ada="succeeded")

    async def go() -> None:
        wanted = Wanted(0, carts=frozenset({"ada"}), orders=frozenset({"order-bob"}))
        selecting, works = await read(wanted, steps)
        assert await selecting.settled_before(works) == {0, 1, 3, 5, 6}
        assert steps.asked == [2]
        for each in works[2:]:
            assert await selecting.settle(each) is None
        assert steps.settled_now == [2, 4]
        parts = [selecting.part(each) for each in works[1:]]
        assert parts == ["settled before", "succeeded", "passed over", "succeeded", "passed over", "passed over"]

    asyncio.run(go())


def test_a_group_with_nothing_in_it_that_was_asked_for_asks_nobody() -> None:
    steps = Steps()

    async def go() -> None:
        selecting, works = await read(Wanted(0, carts=frozenset({"nobody's"})), steps)
        assert await selecting.settled_before(works) == set(range(len(VALUES)))
        assert steps.asked == []

    asyncio.run(go())


def test_what_was_rejected_is_begun_again_where_that_was_asked_for() -> None:
    steps = Steps(ada="succeeded", bob="rejected", eve="dead")

    async def go() -> None:
        selecting, works = await read(Wanted(0), steps)
        assert {each.redo for each in works} == {None}
        assert await selecting.settled_before(works) == {0, 1, 2, 3}
        selecting, works = await read(Wanted(0, again=True), steps)
        assert {each.redo for each in works} == {Redo(None)}
        assert await selecting.settled_before(works) == {0, 1}

    asyncio.run(go())
