"""pyrallel-consumer 1.0 with aiohttp, ordered by key: `… BOOTSTRAP TOPIC GROUP URL N`."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import aiohttp
import uvloop
from pyrallel_consumer import ExecutionMode, KafkaConfig, OrderingMode, PyrallelConsumer

from bench.rivals.confirm import BODY, HEADERS, PATH


async def consume(bootstrap: str, topic: str, group: str, url: str, in_flight: int) -> None:
    config = KafkaConfig(BOOTSTRAP_SERVERS=[bootstrap], CONSUMER_GROUP=group)
    config.dlq_enabled = False
    config.parallel_consumer.ordering_mode = OrderingMode.KEY_HASH
    config.parallel_consumer.execution.mode = ExecutionMode.ASYNC
    config.parallel_consumer.execution.max_in_flight = in_flight
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:

        async def post(_: Any) -> None:
            async with session.post(url + PATH, data=BODY, headers=HEADERS) as response:
                await response.read()

        consumer = PyrallelConsumer(config=config, worker=post, topic=topic)
        await consumer.start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    bootstrap, topic, group, url, number = sys.argv[1:]
    uvloop.run(consume(bootstrap, topic, group, url, int(number)))
