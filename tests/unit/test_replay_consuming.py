"""A partition of a replay: begun where it is kept, read to its end and no further, whatever the log holds there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from typing import cast

import pytest
from confluent_kafka import OFFSET_END, KafkaError, Message
from structlog.testing import CapturingLogger
from structlog.typing import FilteringBoundLogger

from infra.memory_ledger import MemoryStore, Shelf
from infra.reading import PLACE, Partitions
from infra.reading import Reading as Member
from worker.errors import WorkerError
from worker.pipeline import Pipeline
from worker.replay import consuming
from worker.replay.consuming import Reading, consumer_config
from worker.replay.plan import Plan, Stretch, Wanted
from worker.replay.progress import Progress
from worker.replay.request import Part
from worker.replay.selecting import Known, Selecting
from worker.replay.tally import Tally
from worker.settings import KafkaSettings
from worker.stream.assignment import Assignment
from worker.stream.horizon import Log
from worker.stream.losses import Losses
from worker.work import Work

PLAN = Plan("tuesday", Wanted(0), 0, (Stretch(*PLACE, 10, 20),))
OUTSIDE = Plan("tuesday", Wanted(0), 0, (Stretch("others", 0, 10, 20),))


class Silent(MemoryStore):
    async def kept(self, room: str, first: int, last: int) -> dict[int, str]:
        await asyncio.sleep(3600)
        return {}


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One that runs, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    asyncio.run_coroutine_threadsafe(_ended(), loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _ended() -> None:
    """Nothing is left that was asked for and given up."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


class Scene:
    """A member of the replay's group that is assigned `PLACE`; what it counts."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        plan: Plan = PLAN,
        store: MemoryStore | None = None,
        log: Log | None = None,
        eager: bool = False,
    ) -> None:
        self.loop = loop
        self.store = store or MemoryStore(Shelf(lambda: 0))
        self.progress = Progress(self.store, plan, lambda: 0)
        selecting = Selecting(cast("Pipeline", None), cast("Known", None), plan.wanted)
        self.reading = Reading(plan, self.progress, selecting, eager=eager, loop=loop)
        self.client = Partitions(commit=13, log=log)
        self.member = Member(self.client, take=self.reading.take)
        self.member.consumption._losses = self.losses = Losses(
            cast("FilteringBoundLogger", CapturingLogger()), ask_seconds=1.0, tell=self.reading.lost
        )

    @property
    def assignment(self) -> Assignment:
        return self.member.assignment

    def is_over(self) -> bool:
        return self.assignment.over

    def read(self, *offsets: int, ends_at: int | None = None) -> list[int]:
        """What of these is handed over; the log ends there, if it does."""
        self.client.coming = [Message(topic="orders", partition=0, offset=o, timestamp=(1, 0)) for o in offsets]
        if ends_at is not None:
            end = KafkaError(KafkaError._PARTITION_EOF)
            self.client.coming.append(Message(topic="orders", partition=0, offset=ends_at, error=end))
        before = len(self.member.nobody.accepted)
        self.member.consumption.turn()
        return [record.offset for record in self.member.nobody.accepted[before:]]

    def settle(self, *offsets: int) -> None:
        """As the dispatcher does."""
        for offset in offsets:
            record = next(record for record in self.member.nobody.accepted if record.offset == offset)
            self.assignment.in_hand[offset] = (work := Work(record, self.assignment.stop)), 0.0
            work.came("succeeded")
            self.reading.tell(self.assignment, work)
            self.assignment.settled(record)

    def save(self) -> tuple[int | None, Mapping[Part, int]]:
        asyncio.run_coroutine_threadsafe(self.reading.save([self.assignment]), self.loop).result(5)
        return self.progress.upto(PLACE), self.progress.come().counts


@pytest.mark.parametrize(("eager", "how"), [(False, "incremental_assign"), (True, "assign")])
def test_it_is_begun_where_it_is_kept_and_not_where_the_group_committed(
    loop: asyncio.AbstractEventLoop, eager: bool, how: str
) -> None:
    assert Scene(loop, eager=eager).client.begun == [(how, 10)]
    one = Scene(loop)
    tally = Tally()
    asyncio.run_coroutine_threadsafe(one.progress.add(PLACE, tally, 17), loop).result(5)
    assert Scene(loop, store=one.store).client.begun == [("incremental_assign", 17)]


def test_a_partition_outside_of_the_plan_is_over_at_once(loop: asyncio.AbstractEventLoop) -> None:
    scene = Scene(loop, plan=OUTSIDE)
    assert scene.client.begun == [("incremental_assign", OFFSET_END)]
    assert scene.is_over()
    assert scene.read(30, 31) == []
    assert scene.assignment.paused_for == {"end"}
    assert scene.losses.records == 0


def test_one_that_is_done_is_not_read_again(loop: asyncio.AbstractEventLoop) -> None:
    one = Scene(loop)
    asyncio.run_coroutine_threadsafe(one.progress.add(PLACE, Tally(), 20), loop).result(5)
    again = Scene(loop, store=one.store)
    assert again.is_over()
    assert again.read(20, 21) == []


def test_it_is_read_to_its_end_and_what_is_behind_is_left(loop: asyncio.AbstractEventLoop) -> None:
    scene = Scene(loop)
    assert scene.read(*range(10, 18)) == [*range(10, 18)]
    assert not scene.is_over()
    assert scene.read(18, 19, 20, 21) == [18, 19]
    assert scene.is_over()
    assert scene.assignment.paused_for == {"end"}
    assert scene.assignment.gap == 10


def test_the_last_record_of_a_stretch_ends_it_though_nothing_comes_behind(loop: asyncio.AbstractEventLoop) -> None:
    scene = Scene(loop)
    scene.read(*range(10, 20))
    assert scene.is_over()


def test_an_end_that_is_no_record_is_seen_by_what_comes_behind_or_by_the_log_s_end(
    loop: asyncio.AbstractEventLoop,
) -> None:
    behind = Scene(loop, log=Log(0, 30))
    behind.read(10, 25)
    assert behind.is_over()
    ended = Scene(loop, log=Log(0, 20))
    assert ended.read(10, 11, ends_at=20) == [10, 11]
    assert ended.is_over()
    assert ended.losses.records == 0


def test_a_log_that_ends_before_the_stretch_does_is_waited_for(loop: asyncio.AbstractEventLoop) -> None:
    scene = Scene(loop, log=Log(0, 15))
    scene.read(10, 11, ends_at=15)
    assert not scene.is_over(), "a transaction that is still open"
    assert scene.assignment.log_end == 15


def test_what_was_deleted_is_lost_up_to_the_end_and_no_further(loop: asyncio.AbstractEventLoop) -> None:
    some = Scene(loop, log=Log(13, 30))
    some.read(13, 14)
    all_ = Scene(loop, log=Log(25, 30))
    all_.read(25)
    by_the_end = Scene(loop, log=Log(40, 40))
    by_the_end.read(ends_at=40)
    assert [scene.losses.records for scene in (some, all_, by_the_end)] == [3, 10, 10]
    assert all_.is_over()
    assert by_the_end.is_over()
    assert all_.save() == by_the_end.save() == (20, {"lost": 10})


def test_a_log_that_was_made_anew_since_it_was_planned_ends_the_process(loop: asyncio.AbstractEventLoop) -> None:
    scene = Scene(loop, log=Log(0, 5))
    with pytest.raises(WorkerError, match="rewound"):
        scene.read(0, 1)


def test_what_is_settled_without_a_gap_is_kept_and_at_the_end_all(loop: asyncio.AbstractEventLoop) -> None:
    scene = Scene(loop, log=Log(0, 30))
    scene.read(10, 11, 12, 13)
    for record in scene.member.nobody.accepted:
        scene.assignment.read(record)
    scene.settle(10, 12)
    assert scene.save() == (11, {"succeeded": 1})
    scene.settle(11)
    assert scene.save() == (13, {"succeeded": 3})
    scene.read(25)
    assert scene.save() == (13, {"succeeded": 3}), "one is still in hand"
    assert not scene.reading.is_at_its_end([scene.assignment])
    scene.settle(13)
    assert scene.reading.is_at_its_end([scene.assignment])
    assert scene.save() == (20, {"succeeded": 4})
    assert not scene.reading.is_at_its_end([scene.assignment])


def test_a_ledger_that_does_not_say_in_time_ends_the_process(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consuming, "ASK_SECONDS", 0.05)
    with pytest.raises(WorkerError, match="the same command goes on"):
        Scene(loop, store=Silent(Shelf(lambda: 0)))


def test_its_consumer_is_in_a_group_of_its_own_and_no_fixed_member_of_it() -> None:
    kafka = KafkaSettings(
        bootstrap_servers="localhost:9092", group_id="shop", properties={"group.instance.id": "pod-1", "client.id": "x"}
    )
    found = consumer_config(kafka, "tuesday", cast("FilteringBoundLogger", CapturingLogger()), lambda _: None)
    assert found["group.id"] == "shop.replay.tuesday"
    assert found["enable.partition.eof"] is True
    assert found["client.id"] == "x"
    assert "group.instance.id" not in found
