"""A Rokt that is much faster than any worker: reads no more of a request than it must, answers after a fixed time.

Run as a process of its own: `python -m bench.stub SECONDS`. It prints its port, and answers `GET /` with how many
calls it has answered and how many it had at once at most since the last time it was asked.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

BODY = (
    b'{"cartId":"cart","orderId":"order","items":[{"cartItemId":"item","itemReservationId":"reservation",'
    b'"itemConfirmationId":"rokt_item_confirmation_id.5b0e7a53-8a63-4a4c-9c43-1f7f6a1c9f10",'
    b'"itemConfirmationUrl":"https://rokt.example/confirmations/5b0e7a53","success":true}]}'
)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
ANSWER = HEAD % len(BODY) + BODY
LENGTH = b"content-length:"


class Counts:
    def __init__(self) -> None:
        self.answered = self.at_once = self.most = 0

    def began(self) -> None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)

    def told(self) -> bytes:
        body = b"%d %d" % (self.answered, self.most)
        self.most = self.at_once
        return HEAD % len(body) + body


class Responder(asyncio.Protocol):
    """HTTP/1.1 with keep-alive; a request has a content-length, or no body."""

    def __init__(self, seconds: float, counts: Counts) -> None:
        self._seconds = seconds
        self._counts = counts
        self._loop = asyncio.get_running_loop()
        self._unread = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head = self._unread[:end].lower()
            at = head.find(LENGTH)
            length = int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._unread) < end + 4 + length:
                return
            self._unread = self._unread[end + 4 + length :]
            if head.startswith(b"get"):
                self._write(self._counts.told())
            else:
                self._counts.began()
                self._loop.call_later(self._seconds, self._answer)

    def _answer(self) -> None:
        self._counts.at_once -= 1
        self._counts.answered += 1
        self._write(ANSWER)

    def _write(self, answer: bytes) -> None:
        if self._transport is not None:
            self._transport.write(answer)


async def _serve(seconds: float) -> None:
    counts = Counts()
    server = await asyncio.get_running_loop().create_server(
        lambda: Responder(seconds, counts), "127.0.0.1", 0, backlog=2048
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(float(sys.argv[1])))
