"""Whatever completes, fails, is revoked or lost, in whatever order: a commit stands for settled events only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from structlog.testing import CapturingLogger
from structlog.typing import FilteringBoundLogger

from faults.fakes import FakePipeline, Fate, VirtualLoop
from faults.load import LONG
from worker.dispatch import Dispatcher
from worker.events import CartAbandoned, CheckoutCompleted, Event, OrderCancelled
from worker.lanes import Key, lane_keys
from worker.pipeline import Pipeline
from worker.record import Record
from worker.stream.assignment import Assignment
from worker.telemetry.meters import Meters
from worker.work import Work

TOPIC = "checkout-completed"
PARTITIONS = range(3)
BUDGET_SECONDS = 20.0
NOW = datetime(2026, 11, 20, tzinfo=UTC)
HOLE = None

Place = tuple[int, int]


def _checkout(cart: int) -> Event:
    return CheckoutCompleted("e", NOW, f"cart-{cart}", f"order-{cart % 2}")


def _cancel(cart: int) -> Event:
    return OrderCancelled("e", NOW, f"order-{cart % 2}", ())


def _release(cart: int) -> Event:
    return CartAbandoned("e", NOW, f"cart-{cart}", ())


def _keys(work: Work) -> set[Key]:
    return set() if work.event is None else set(lane_keys(work.event))


def _place(work: Work) -> Place:
    return work.record.partition, work.record.offset


def _record(partition: int, offset: int) -> Record:
    return Record(TOPIC, partition, offset, None, b"{}", (), None)


EVENTS = st.builds(lambda kind, cart: kind(cart), st.sampled_from([_checkout, _cancel, _release]), st.integers(0, 5))
BATCHES = st.lists(EVENTS | st.just(HOLE), min_size=1, max_size=5)
FATES = st.lists(st.sampled_from(["settled", "abandoned"]), max_size=4)


class Commits(RuleBasedStateMachine):
    """The consumer's thread, played. `group` is what it committed, `ends` where the partitions end."""

    max_under_way = 1_000

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.pipeline = FakePipeline(self._begins)
        self.failures: list[object] = []
        self.dispatcher = Dispatcher(
            cast("Pipeline", self.pipeline),
            max_under_way=self.max_under_way,
            clock=self.loop.time,
            fail=self.failures.append,
            log=cast("FilteringBoundLogger", CapturingLogger()),
            meters=Meters(),
        )
        self.ends = dict.fromkeys(PARTITIONS, 0)
        self.group = dict.fromkeys(PARTITIONS, 0)
        self.live = {partition: self._assigned(partition) for partition in PARTITIONS}
        self.former: list[tuple[Assignment, int | None]] = []
        self.settled: set[Place] = set()
        self.begun: set[Work] = set()
        self.held: set[Work] = set()

    def teardown(self) -> None:
        for assignment in self.live.values():
            self.loop.create_task(self.dispatcher.close([assignment], 0.0))
        self.loop.pass_time(1.0)
        self.loop.close()

    @rule(partition=st.sampled_from(PARTITIONS), batch=BATCHES, slow=st.booleans())
    def read(self, partition: int, batch: list[Event | None], slow: bool) -> None:
        for event in batch:
            if event is not HOLE:
                self.pipeline.meaning[partition, self.ends[partition]] = event
            self.ends[partition] += 1
        self.pipeline.slow_decoding = slow
        self._fetch(self.live[partition])
        self.loop.rest()

    @precondition(lambda self: self.pipeline.undecoded)
    @rule(data=st.data())
    def decode(self, data: st.DataObject) -> None:
        self.pipeline.undecoded[self._one(data, self.pipeline.undecoded)].set_result(None)
        self.loop.rest()

    @precondition(lambda self: self.pipeline.running)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        self._end(self._one(data, self.pipeline.running), "settled")
        self.loop.rest()

    @precondition(lambda self: self.pipeline.running and not self.held)
    @rule(data=st.data())
    def meet_a_defect(self, data: st.DataObject) -> None:
        work = self._one(data, self.pipeline.running)
        self.held.add(work)
        self._end(work, "defect")
        self.loop.rest()

    @rule(partition=st.sampled_from(PARTITIONS))
    def commit(self, partition: int) -> None:
        self._commit(self.live[partition])

    @rule(partition=st.sampled_from(PARTITIONS), decoded=st.booleans(), fates=FATES, data=st.data())
    def revoke(self, partition: int, decoded: bool, fates: list[Fate], data: st.DataObject) -> None:
        """Some of its events in hand still end in time; what is settled by then is committed."""
        leaving = self.live[partition]
        closing = self.loop.create_task(self.dispatcher.close([leaving], BUDGET_SECONDS))
        self.loop.rest()
        for work in [work for work in self.pipeline.undecoded if decoded and work.stop is leaving.stop]:
            self.pipeline.undecoded[work].set_result(None)
            self.loop.rest()
        for fate in fates:
            self._end_one_of(leaving, fate, data)
            self.loop.rest()
        self.loop.pass_time(BUDGET_SECONDS)
        assert closing.done()
        self._commit(leaving)
        self._replace(leaving)

    @rule(partition=st.sampled_from(PARTITIONS), fates=FATES, data=st.data())
    def lose(self, partition: int, fates: list[Fate], data: st.DataObject) -> None:
        """Others have it already: nothing of it may be committed, and it may come back at once."""
        leaving = self.live[partition]
        closing = self.loop.create_task(self.dispatcher.close([leaving], 0.0))
        for fate in fates:
            self._end_one_of(leaving, fate, data)
        self._replace(leaving)
        assert closing.done()

    @invariant()
    def a_commit_stands_for_settled_events_only(self) -> None:
        for partition, offset in self.pipeline.meaning:
            assert offset >= self.group[partition] or (partition, offset) in self.settled
        for assignment in self.live.values():
            assert all(offset >= (assignment.committable or 0) for offset in assignment.in_hand)

    @invariant()
    def what_a_former_assignment_reports_changes_nothing(self) -> None:
        assert all(former.committable == was and not former.tasks for former, was in self.former)

    @invariant()
    def events_of_one_cart_or_order_never_overlap(self) -> None:
        assert len(self.pipeline.running) <= self.max_under_way
        keys = [key for work in self.pipeline.running for key in _keys(work)]
        assert len(keys) == len(set(keys))
        assert not self.failures

    @invariant()
    def whoever_is_first_in_all_its_lines_has_begun(self) -> None:
        if len(self.pipeline.running) == self.max_under_way:
            return
        taken = {key for work in {*self.held, *self.pipeline.running} for key in _keys(work)}
        for work in self.pipeline.decoded:
            if work in self.begun:
                continue
            assert taken & _keys(work) or work.stop.asked, f"{work.place} waits for nobody"
            taken |= _keys(work) if taken & _keys(work) else set()

    def _begins(self, work: Work) -> None:
        self.begun.add(work)
        if work.stop.asked:
            self.failures.append(f"{work.place} began after its partition was given up")
        in_hand = [other for other, _ in self.live[work.record.partition].in_hand.values()]
        if any(other.record.offset < work.record.offset and _keys(work) & _keys(other) for other in in_hand):
            self.failures.append(f"{work.place} overtook one of its cart or order")

    def _one(self, data: st.DataObject, works: Iterable[Work]) -> Work:
        """Drawn in the order in which they were read: the event loop's sets have no order that repeats."""
        return data.draw(st.sampled_from(sorted(works, key=self.pipeline.started.index)))

    def _end_one_of(self, assignment: Assignment, fate: Fate, data: st.DataObject) -> None:
        running = [w for w, told in self.pipeline.running.items() if w.stop is assignment.stop and not told.done()]
        if running:
            self._end(self._one(data, running), fate)

    def _end(self, work: Work, fate: Fate) -> None:
        self.pipeline.running[work].set_result(fate)
        if fate == "settled":
            self.settled.add(_place(work))

    def _commit(self, assignment: Assignment) -> None:
        if assignment.committable is not None:
            self.group[assignment.partition] = assignment.committable

    def _assigned(self, partition: int) -> Assignment:
        assignment = Assignment(TOPIC, partition)
        assignment.last_fetched = self.group[partition] - 1
        return assignment

    def _replace(self, leaving: Assignment) -> None:
        """It comes back, from where the group is."""
        self.live[leaving.partition] = self._assigned(leaving.partition)
        self._fetch(self.live[leaving.partition])
        self.loop.rest()
        self.former.append((leaving, leaving.committable))

    def _fetch(self, assignment: Assignment) -> None:
        offsets = range(assignment.last_fetched + 1, self.ends[assignment.partition])
        places = [(assignment.partition, offset) for offset in offsets]
        records = [_record(*place) for place in places if place in self.pipeline.meaning]
        if records:
            assignment.fetch(records)
            self.loop.call_soon(self.dispatcher.accept, [(assignment, records)])


class CommitsOfFewAtATime(Commits):
    max_under_way = 2


RUN = settings(
    max_examples=2_000 if LONG else 50, stateful_step_count=60, deadline=None, database=None, derandomize=not LONG
)
TestACommitStandsForSettledEventsOnly = Commits.TestCase
TestACommitStandsForSettledEventsOnly.settings = RUN
TestSoItDoesWhenFewMayBeUnderWay = CommitsOfFewAtATime.TestCase
TestSoItDoesWhenFewMayBeUnderWay.settings = RUN
