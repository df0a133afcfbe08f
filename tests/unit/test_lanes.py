"""A lane: its records one at a time and in order, and an offset that says no more than what is settled."""

import asyncio
import io
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from worker.errors import Abandoned, DeliveryFailed, WorkerError
from worker.stopping import Stop
from worker.stream.lanes import Lane, Limits, close_all
from worker.stream.records import Record
from worker.telemetry import logs

CANARY = "canary-7f3a"
Handle = Callable[[Record, Stop], Awaitable[None]]


def record(offset: int, value: bytes = b"x") -> Record:
    return Record("orders", 3, offset, None, value, (), None)


class Laid:
    """A lane with what it told others."""

    def __init__(self, handle: Handle, limits: Limits = Limits(1000, 2**20)) -> None:  # noqa: B008
        self.failures: list[Exception] = []
        self.out = io.StringIO()
        self.lane = Lane(
            "orders",
            3,
            handle=handle,
            limits=limits,
            fail=self.failures.append,
            log=logs.configure("json", "debug", self.out),
        )

    def state(self) -> str:
        assert not (self.lane.is_full and self.lane.has_room)
        return "full" if self.lane.is_full else "room" if self.lane.has_room else "neither"

    async def idle(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def _the_process_log_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_libraries_too", lambda *_: None)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(5):
            await main()

    asyncio.run(bounded())


async def settle(_: Record, __: Stop) -> None:
    return


def test_records_are_handled_one_at_a_time_and_in_order() -> None:
    seen: list[tuple[str, int]] = []

    async def handle(one: Record, _: Stop) -> None:
        seen.append(("begin", one.offset))
        await asyncio.sleep(0)
        seen.append(("end", one.offset))

    async def main() -> None:
        laid = Laid(handle)
        laid.lane.accept([record(n) for n in range(3)])
        laid.lane.accept([record(3)])
        await laid.idle()
        laid.lane.accept([record(4)])
        await laid.idle()
        assert seen == [(what, n) for n in range(5) for what in ("begin", "end")]
        assert laid.lane.settled == 5

    run(main)


def test_before_the_first_record_is_settled_there_is_nothing_to_commit() -> None:
    async def handle(_: Record, stop: Stop) -> None:
        await stop.sleep(60)

    async def main() -> None:
        laid = Laid(handle)
        assert laid.lane.settled is None
        laid.lane.accept([record(7)])
        await laid.idle()
        assert laid.lane.settled is None
        await laid.lane.close(0)
        assert laid.lane.settled is None

    run(main)


def test_the_offset_to_commit_is_the_one_behind_the_last_settled_record_and_gaps_do_not_matter() -> None:
    async def main() -> None:
        laid = Laid(settle)
        laid.lane.accept([record(7), record(9), record(40)])
        await laid.idle()
        assert laid.lane.settled == 41

    run(main)


@pytest.mark.parametrize("error", [ZeroDivisionError(CANARY), KeyError(CANARY), UnicodeError(CANARY)])
def test_a_defect_holds_the_partition_and_never_commits_past_its_record(error: Exception) -> None:
    async def handle(one: Record, _: Stop) -> None:
        if one.offset == 1:
            raise error

    async def main() -> None:
        laid = Laid(handle)
        laid.lane.accept([record(n) for n in range(5)])
        await laid.idle()
        assert laid.lane.settled == 1
        laid.lane.accept([record(5)])
        await laid.idle()
        assert laid.lane.settled == 1
        assert laid.failures == []
        assert '"event.held"' in laid.out.getvalue()
        assert '"offset":1' in laid.out.getvalue()

    run(main)


@pytest.mark.parametrize("error", [WorkerError("x"), DeliveryFailed("y", fatal=True)])
def test_an_error_that_cannot_be_waited_out_is_reported_and_its_offset_stays(error: WorkerError) -> None:
    async def handle(one: Record, _: Stop) -> None:
        if one.offset == 1:
            raise error

    async def main() -> None:
        laid = Laid(handle)
        laid.lane.accept([record(n) for n in range(3)])
        await laid.idle()
        assert laid.failures == [error]
        assert laid.lane.settled == 1

    run(main)


def test_closing_lets_the_record_in_hand_settle_and_starts_no_other() -> None:
    seen: list[int] = []

    async def handle(one: Record, _: Stop) -> None:
        seen.append(one.offset)
        await asyncio.sleep(0.005)

    async def main() -> None:
        laid = Laid(handle)
        laid.lane.accept([record(n) for n in range(3)])
        await asyncio.sleep(0)
        await laid.lane.close(5)
        assert seen == [0]
        assert laid.lane.settled == 1
        laid.lane.accept([record(3)])
        await laid.idle()
        assert seen == [0]

    run(main)


def test_closing_tells_the_record_in_hand_and_one_that_gives_up_stays_uncommitted() -> None:
    async def handle(_: Record, stop: Stop) -> None:
        await stop.sleep(60)

    async def main() -> None:
        laid = Laid(handle)
        laid.lane.accept([record(0)])
        await asyncio.sleep(0)
        await laid.lane.close(5)
        assert laid.lane.settled is None
        assert laid.failures == []

    run(main)


def test_closing_cuts_off_a_record_that_does_not_settle_in_time_and_leaves_it_uncommitted() -> None:
    async def handle(_: Record, stop: Stop) -> None:
        await stop.sleep(60, finish=True)

    async def main() -> None:
        laid = Laid(handle)
        laid.lane.accept([record(0), record(1)])
        await asyncio.sleep(0)
        await laid.lane.close(0.005)
        assert laid.lane.settled is None
        assert laid.failures == []

    run(main)


def test_closing_an_idle_lane_and_closing_twice_is_nothing() -> None:
    async def main() -> None:
        laid = Laid(settle)
        await laid.lane.close(5)
        laid = Laid(settle)
        laid.lane.accept([record(0)])
        await laid.idle()
        await laid.lane.close(5)
        await laid.lane.close(5)
        assert laid.lane.settled == 1

    run(main)


def test_lanes_are_closed_side_by_side_within_one_limit() -> None:
    async def handle(_: Record, stop: Stop) -> None:
        await stop.sleep(60, finish=True)

    async def main() -> None:
        all_of_them = [Laid(handle) for _ in range(20)]
        for laid in all_of_them:
            laid.lane.accept([record(0)])
        await asyncio.sleep(0)
        began = asyncio.get_running_loop().time()
        await close_all([laid.lane for laid in all_of_them], 0.02)
        assert asyncio.get_running_loop().time() - began < 0.2

    run(main)


def test_a_lane_that_holds_its_limit_of_records_is_full_and_has_room_again_at_half_of_it() -> None:
    gate = asyncio.Semaphore(0)

    async def handle(_: Record, __: Stop) -> None:
        await gate.acquire()

    async def main() -> None:
        laid = Laid(handle, Limits(records=4, bytes=2**20))
        laid.lane.accept([record(n) for n in range(3)])
        assert laid.state() == "neither"
        laid.lane.accept([record(3)])
        assert laid.state() == "full"
        gate.release()
        await laid.idle()
        assert laid.state() == "neither"
        gate.release()
        await laid.idle()
        assert laid.state() == "room"
        await laid.lane.close(0)

    run(main)


def test_a_lane_that_holds_its_limit_of_bytes_is_full() -> None:
    async def handle(_: Record, stop: Stop) -> None:
        await stop.sleep(60)

    async def main() -> None:
        laid = Laid(handle, Limits(records=1000, bytes=10_000))
        laid.lane.accept([record(0, b"x" * 9_000)])
        assert laid.state() == "neither"
        laid.lane.accept([record(1, b"x" * 9_000)])
        assert laid.state() == "full"
        await laid.lane.close(0)

    run(main)


def test_what_is_left_uncommitted_is_said_without_its_payload() -> None:
    async def handle(_: Record, __: Stop) -> None:
        raise Abandoned("stopped")

    async def main() -> None:
        laid = Laid(handle)
        laid.lane.accept([record(0, CANARY.encode())])
        await laid.idle()
        assert "event.left_uncommitted" in laid.out.getvalue()
        assert CANARY not in laid.out.getvalue()

    run(main)


def test_a_defect_is_said_without_the_payload_of_its_record() -> None:
    async def handle(one: Record, _: Stop) -> None:
        raise ZeroDivisionError(one.offset)

    async def main() -> None:
        laid = Laid(handle)
        laid.lane.accept([record(0, CANARY.encode())])
        await laid.idle()
        assert "event.held" in laid.out.getvalue()
        assert CANARY not in laid.out.getvalue()

    run(main)


def test_a_defect_whose_own_words_quote_the_payload_is_said_without_them() -> None:
    async def handle(one: Record, _: Stop) -> None:
        float((one.value or b"").decode())

    async def main() -> None:
        laid = Laid(handle)
        laid.lane.accept([record(0, CANARY.encode())])
        await laid.idle()
        assert "ValueError" in laid.out.getvalue()
        assert CANARY not in laid.out.getvalue()

    run(main)
