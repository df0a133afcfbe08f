"""The dispatcher, full of what is less urgent or waits for an endpoint that is down, still begins what is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import cast

import pytest
from structlog.testing import CapturingLogger
from structlog.typing import FilteringBoundLogger

from faults.fakes import FakePipeline, VirtualLoop
from worker.dispatch import Dispatcher
from worker.events import CartAbandoned, CheckoutCompleted, Event, OrderCancelled
from worker.pipeline import Pipeline
from worker.record import Record
from worker.stream.assignment import Assignment
from worker.telemetry.meters import Meters
from worker.work import Work

NOW = datetime(2026, 11, 20, tzinfo=UTC)
MAX = 8


def confirm(cart: str) -> Event:
    return CheckoutCompleted("e", NOW, cart, f"order-{cart}")


def cancel(cart: str) -> Event:
    return OrderCancelled("e", NOW, f"order-{cart}", ())


def release(cart: str) -> Event:
    return CartAbandoned("e", NOW, cart, ())


class Scene:
    """A dispatcher of one partition; `begun` are the events whose settlement began, in order."""

    def __init__(self, loop: VirtualLoop, max_under_way: int = MAX) -> None:
        self.loop = loop
        self.begun: list[Event | None] = []
        self.failures: list[Exception] = []
        self._pipeline = FakePipeline(lambda work: self.begun.append(work.event))
        self._dispatcher = Dispatcher(
            cast("Pipeline", self._pipeline),
            max_under_way=max_under_way,
            clock=loop.time,
            fail=self.failures.append,
            log=cast("FilteringBoundLogger", CapturingLogger()),
            meters=Meters(),
        )
        self.assignment = Assignment("orders", 0)
        self._next_offset = 0

    def read(self, events: Sequence[Event | None]) -> None:
        """None is a tombstone."""
        first, self._next_offset = self._next_offset, self._next_offset + len(events)
        records = [Record("orders", 0, first + n, None, b"{}", (), None) for n in range(len(events))]
        for record, event in zip(records, events, strict=True):
            if event is not None:
                self._pipeline.meaning[0, record.offset] = event
        self.assignment.fetch(records)
        self.loop.call_soon(self._dispatcher.accept, [(self.assignment, records)])
        self.loop.rest()

    def settle(self, event: Event | None) -> None:
        [work] = [work for work in self.running if work.event is event]
        self._pipeline.running[work].set_result("settled")
        self.loop.rest()

    def close(self) -> None:
        closing = self.loop.create_task(self._dispatcher.close([self.assignment], 0.0))
        self.loop.rest()
        assert closing.done()

    @property
    def running(self) -> list[Work]:
        return list(self._pipeline.running)


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.close()


@pytest.fixture
def scene(loop: VirtualLoop) -> Iterator[Scene]:
    scene = Scene(loop)
    yield scene
    scene.close()
    assert scene.failures == []


def many(kind: str) -> list[Event]:
    make = {"confirm": confirm, "cancel": cancel, "release": release}[kind]
    return [make(f"{kind}-{number}") for number in range(100)]


def test_a_backlog_of_releases_leaves_half_of_the_places(scene: Scene) -> None:
    scene.read(many("release"))
    assert len(scene.running) == MAX // 2
    wanted = [confirm("a"), cancel("b")]
    scene.read(wanted)
    assert scene.begun[-2:] == wanted


def test_releases_and_cancels_leave_places_for_confirms(scene: Scene) -> None:
    scene.read(many("release") + many("cancel"))
    assert len(scene.running) == MAX * 3 // 4
    wanted = [confirm("a"), confirm("b")]
    scene.read(wanted)
    assert scene.begun[-2:] == wanted


def test_confirms_that_wait_for_their_endpoint_do_not_keep_cancels_and_releases_from_beginning(scene: Scene) -> None:
    scene.read(many("confirm"))
    wanted = [cancel("a"), release("b")]
    scene.read(wanted)
    assert scene.begun[-2:] == wanted


def test_a_place_that_comes_free_goes_to_the_most_urgent_and_first_to_what_needs_no_call(loop: VirtualLoop) -> None:
    scene = Scene(loop, max_under_way=1)
    first = confirm("first")
    scene.read([first, release("b"), cancel("c"), confirm("d"), None])
    for _ in range(5):
        scene.settle(scene.begun[-1])
    assert [type(event).__name__ for event in scene.begun] == [
        "CheckoutCompleted",
        "NoneType",
        "CheckoutCompleted",
        "OrderCancelled",
        "CartAbandoned",
    ]
    assert scene.assignment.committable == 5


def test_a_partition_that_is_given_up_gives_its_places_back(scene: Scene) -> None:
    scene.read(many("release"))
    scene.close()
    scene.assignment = Assignment("orders", 0)
    again = [release("again"), confirm("again-too")]
    scene.read(again)
    assert scene.begun[-2:] == again
