"""FastStream with as many workers as calls, and aiohttp: `… BOOTSTRAP TOPIC GROUP URL N`.

With several workers it commits by itself, whatever became of an event: at most once.
"""

from __future__ import annotations

import asyncio
import logging
import sys

import aiohttp
import uvloop
from faststream import AckPolicy
from faststream.confluent import KafkaBroker

from bench.rivals.confirm import BODY, HEADERS, PATH


async def consume(bootstrap: str, topic: str, group: str, url: str, in_flight: int) -> None:
    broker = KafkaBroker(bootstrap, logger=None, log_level=logging.ERROR)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:

        @broker.subscriber(  # type: ignore[untyped-decorator]
            topic,
            group_id=group,
            auto_offset_reset="earliest",
            max_workers=in_flight,
            ack_policy=AckPolicy.ACK_FIRST,
        )
        async def post(_: bytes) -> None:
            async with session.post(url + PATH, data=BODY, headers=HEADERS) as response:
                await response.read()

        await broker.start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    bootstrap, topic, group, url, number = sys.argv[1:]
    uvloop.run(consume(bootstrap, topic, group, url, int(number)))
