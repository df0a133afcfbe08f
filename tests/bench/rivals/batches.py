"""A batch at a time, its calls side by side, then a commit: `… BOOTSTRAP TOPIC GROUP URL N CLIENT`.

No order, no ledger, no outcomes, no traces. With aiohttp this is the bare loop, about the least that Python needs for a
call; with httpx it is that library at its best.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

import uvloop
from confluent_kafka import Consumer

from bench.rivals.confirm import BODY, HEADERS, PATH
from bench.rivals.consuming import reading

Post = Callable[[], Awaitable[None]]


async def batches(consumer: Consumer, size: int, post: Post) -> None:
    loop = asyncio.get_running_loop()
    while True:
        messages = await loop.run_in_executor(None, consumer.consume, size, 0.05)
        if messages:
            await asyncio.gather(*(post() for message in messages if message.error() is None))
            consumer.commit(asynchronous=True)


async def with_aiohttp(consumer: Consumer, url: str, size: int) -> None:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=size)) as session:

        async def post() -> None:
            async with session.post(url + PATH, data=BODY, headers=HEADERS) as response:
                await response.read()

        await batches(consumer, size, post)


async def with_httpx(consumer: Consumer, url: str, size: int) -> None:
    import httpx

    limits = httpx.Limits(max_connections=size, max_keepalive_connections=size)
    async with httpx.AsyncClient(limits=limits, timeout=30, trust_env=False) as client:

        async def post() -> None:
            await client.post(url + PATH, content=BODY, headers=HEADERS)

        await batches(consumer, size, post)


def main(bootstrap: str, topic: str, group: str, url: str, size: str, client: str) -> None:
    consumer = reading(bootstrap, topic, group)
    uvloop.run({"aiohttp": with_aiohttp, "httpx": with_httpx}[client](consumer, url, int(size)))


if __name__ == "__main__":
    main(*sys.argv[1:])
