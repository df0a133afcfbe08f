"""One who calls the endpoint as Rokt does, over connections that are kept: much cheaper than what it calls.

Run as a process of its own: `python -m bench.caller PORT PATH KEY CONNECTIONS FIRST COUNT SECONDS`. Sends transactions
with the ids FIRST, FIRST + 1, … or, with a COUNT of 0, always FIRST; each connection has one request under way. Ends
after SECONDS, or COUNT requests, and prints JSON: answers by status, seconds, and p50 and p99 in milliseconds.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import cast

import uvloop

WARM = 0.1
"""Share of the time whose answers do not count."""
BODY = (
    b'{"transactionId":"t-%d","email":"jane.doe@example.com","firstName":"Jane","lastName":"Doe","source":"rokt",'
    b'"country":"US","offer":"parking"}'
)
HEAD = (
    b"POST %s HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: %s\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n"
)
LENGTH = b"content-length:"


class Tally:
    def __init__(self, seconds: float) -> None:
        self.began = time.perf_counter()
        self.counted_from = self.began + seconds * WARM
        self.until = self.began + seconds
        self.statuses: Counter[str] = Counter()
        self.times: list[float] = []

    def told(self) -> str:
        times = sorted(self.times) or [0.0]
        figures = {f"p{share}": times[min(len(times) - 1, len(times) * share // 100)] * 1e3 for share in (50, 99)}
        seconds = time.perf_counter() - self.counted_from
        return json.dumps({"statuses": self.statuses, "counted": len(self.times), "seconds": seconds} | figures)


class Caller(asyncio.Protocol):
    """HTTP/1.1 with keep-alive; an answer has a content-length."""

    def __init__(self, path: bytes, key: bytes, ids: Iterator[int], tally: Tally) -> None:
        self._path, self._key = path, key
        self._ids = ids
        self._tally = tally
        self._unread = b""
        self._at = 0.0
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        end = self._unread.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._unread[:end].lower()
        at = head.find(LENGTH)
        length = int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._unread) < end + 4 + length:
            return
        self._unread = self._unread[end + 4 + length :]
        now = time.perf_counter()
        if self._at >= self._tally.counted_from:
            self._tally.times.append(now - self._at)
        self._tally.statuses[head[9:12].decode()] += 1
        self._send()

    def _send(self) -> None:
        assert self._transport is not None
        self._at = time.perf_counter()
        id_ = next(self._ids, None)
        if id_ is None or self._at > self._tally.until:
            self._transport.close()
            return
        body = BODY % id_
        self._transport.write(HEAD % (self._path, self._key, len(body)) + body)


async def _call(port: int, path: str, key: str, connections: int, first: int, count: int, seconds: float) -> None:
    ids = iter(range(first, first + count)) if count else itertools.repeat(first)
    tally = Tally(seconds)
    loop = asyncio.get_running_loop()
    callers = [
        (await loop.create_connection(lambda: Caller(path.encode(), key.encode(), ids, tally), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.wait([caller.done for caller in callers], timeout=seconds * 2 + 30)
    print(tally.told(), flush=True)


if __name__ == "__main__":
    port_, path_, key_, connections_, first_, count_, seconds_ = sys.argv[1:]
    uvloop.run(_call(int(port_), path_, key_, int(connections_), int(first_), int(count_), float(seconds_)))
