"""Waits that end when a stop is asked for, and those that may not."""

import asyncio

import pytest

from worker.errors import Abandoned
from worker.stopping import Stop


def test_a_wait_without_a_stop_is_just_a_wait() -> None:
    asyncio.run(Stop().sleep(0.001))


def test_a_wait_ends_at_once_when_a_stop_is_asked_for() -> None:
    async def main() -> None:
        stop = Stop()
        waiting = asyncio.ensure_future(stop.sleep(3600))
        await asyncio.sleep(0)
        stop.ask()
        async with asyncio.timeout(1):
            with pytest.raises(Abandoned):
                await waiting

    asyncio.run(main())


def test_a_wait_that_begins_after_the_stop_was_asked_for_ends_at_once() -> None:
    async def main() -> None:
        stop = Stop()
        stop.ask()
        assert stop.asked
        for seconds in (0.0, 3600.0):
            with pytest.raises(Abandoned):
                await stop.sleep(seconds)

    asyncio.run(main())


def test_work_that_must_be_finished_waits_its_time_through_a_stop() -> None:
    async def main() -> None:
        stop = Stop()
        stop.ask()
        await stop.sleep(0.001, finish=True)

    asyncio.run(main())


def test_a_wait_can_be_cancelled() -> None:
    async def main() -> None:
        waiting = asyncio.ensure_future(Stop().sleep(3600))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
