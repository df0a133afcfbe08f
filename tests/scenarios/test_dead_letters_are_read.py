"""Dead-letter topics are read from outside of any group, to the ends that they had when it began."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest

from infra.brokers import Broker
from infra.worker import Worker
from worker import loading
from worker.dlq.letter import Place
from worker.dlq.reading import Extent, reading
from worker.record import Record


@pytest.fixture
def topic(broker: Broker, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> str:
    """With four records in two partitions."""
    for name, value in worker.settings.items():
        monkeypatch.setenv(name, value)
    name = f"{worker.completed}.dlq"
    for n in range(4):
        broker.produce(name, b"%d" % n, partition=n % 2, headers=[("shop", b"x")])
    return name


async def read(
    topics: Collection[str], places: Collection[Place] = (), *, then: Broker | None = None
) -> tuple[Extent, list[Record]]:
    records: list[Record] = []
    async with reading(loading.load({}), topics, places) as log:
        if then is not None:
            await asyncio.to_thread(then.produce, next(iter(topics)), b"late", None, None, 0)
        async for batch in log.batches:
            records += batch
    return log.extent, records


def values(records: list[Record]) -> list[bytes]:
    return sorted(record.value or b"" for record in records)


def test_all_that_was_there_is_read_and_what_comes_later_is_not(broker: Broker, topic: str) -> None:
    extent, records = asyncio.run(read([topic], then=broker))
    assert (extent.offsets, values(records)) == (4, [b"0", b"1", b"2", b"3"])
    assert extent.starts == {(topic, 0): 0, (topic, 1): 0}
    assert all(record.headers == (("shop", b"x"),) for record in records)


def test_places_are_read_and_nothing_else(broker: Broker, topic: str) -> None:
    places = [Place(topic, 0, 1), Place(topic, 1, 0), Place(topic, 1, 99), Place(topic, 7, 0)]
    extent, records = asyncio.run(read([topic], places))
    assert (extent.offsets, values(records)) == (2, [b"1", b"2"])


def test_a_topic_that_is_missing_is_named_and_an_empty_one_is_read(broker: Broker, worker: Worker, topic: str) -> None:
    extent, records = asyncio.run(read(["no-such.dlq", f"{worker.cancelled}.dlq"]))
    assert (extent.missing, extent.offsets, records) == (("no-such.dlq",), 0, [])
    assert broker.committed(worker.group, topic)[0].committed == 0
