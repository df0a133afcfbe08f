"""Where a host is: its addresses, asked of the system once for all who want them at one time."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

import aiohappyeyeballs

KEPT_SECONDS: Final = 10.0
NEXT_ADDRESS_SECONDS: Final = 0.25  # RFC 8305, section 5: Connection Attempt Delay

Address = aiohappyeyeballs.AddrInfoType


class Addresses:
    """Remembers those of a host for ten seconds, so that many connections at once are one question."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, int], tuple[float, asyncio.Task[list[Address]]]] = {}

    async def connect(self, host: str, port: int) -> socket.socket:
        """A TCP connection, to whichever address answers first (RFC 8305). Raises OSError."""
        addresses = await self._of(host, port)
        found = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, interleave=1
        )
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return found

    async def _of(self, host: str, port: int) -> list[Address]:
        loop = asyncio.get_running_loop()
        now = loop.time()
        at, asking = self._asked.get((host, port), (float("-inf"), None))
        if asking is None or (asking.done() and (now - at > KEPT_SECONDS or _failed(asking))):
            asking = loop.create_task(_ask(host, port))
            asking.add_done_callback(_failed)  # where nobody waits for it any more
            self._asked[host, port] = (now, asking)
        return await asyncio.shield(asking)  # others may wait for the same answer


def _failed(asked: asyncio.Task[list[Address]]) -> bool:
    return asked.cancelled() or asked.exception() is not None


async def _ask(host: str, port: int) -> list[Address]:
    return list(await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM))
