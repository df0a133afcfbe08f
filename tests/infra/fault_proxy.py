"""A proxy in front of a server of HTTP/1.1, with faults that are switched while it runs, and a note of what passed.

It is an event loop in a thread. Requests and answers have a content-length or no body, as those of the sandbox have.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from infra.faults_on_the_way import (
    Answering,
    CuttingBodies,
    Delaying,
    Dripping,
    Fault,
    LosingAnswers,
    Message,
    Passing,
    Presenting,
    Refusing,
    Silent,
)
from infra.ports import free_port

HOST = "127.0.0.1"
RIGHT = "right"
SWITCH_SECONDS = 10.0
# Of the event loop, from the connection that is taken to the task that serves it.
STEPS_TO_SERVE = 5
# How often it notes that it was there to see what came; what it took up in between may have come at any moment of it.
LOOK_SECONDS = 0.01
LOOKS = 3
# Linger on, for no time: closing sends a reset.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(slots=True, eq=False)
class Request:
    """One request that came: when, for what; once it was answered: when and how. Monotonic seconds.

    It was taken up `at` some moment, and came after `since`: a busy machine takes up later, and at once, what came
    evenly.
    """

    since: float
    at: float
    path: str
    answered_at: float | None = None
    status: int | None = None


class FaultProxy:
    """Listens on a port of the loopback interface until it is stopped.

    `certificates`, by name, make it speak TLS; the one named `right` is presented unless a fault says otherwise.
    """

    def __init__(self, upstream: str, certificates: Mapping[str, ssl.SSLContext] | None = None) -> None:
        server = urlsplit(upstream)
        self._upstream = server.hostname, server.port
        self._certificates = certificates or {}
        self.port = free_port()
        self.url = f"{'https' if certificates else 'http'}://{HOST}:{self.port}"
        self._requests: list[Request] = []
        self._connections: list[float] = []
        self._looks = deque([time.monotonic()], LOOKS)
        self._fault: Fault = Refusing()
        self._listener: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self._thread.start()
        self._loop.call_soon_threadsafe(self._look)
        self.order(Passing())

    def order(self, fault: Fault) -> None:
        """This fault and no other; returns when it is in force."""
        self._run(self._switch(fault))

    def requests(self) -> list[Request]:
        """Those that came so far, in order."""
        return list(self._requests)

    def connections(self) -> list[float]:
        """When each connection came, also those whose TLS failed."""
        return list(self._connections)

    def stop(self) -> None:
        self._run(self._switch(Refusing()))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, switching: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(switching, self._loop).result(SWITCH_SECONDS)

    async def _switch(self, fault: Fault) -> None:
        before, self._fault = self._fault, fault
        if isinstance(before, Refusing | Presenting) or isinstance(fault, Refusing | Presenting):
            await self._hang_up()
            if not isinstance(fault, Refusing):
                listener = socket.create_server((HOST, self.port), backlog=512)
                self._listener = await asyncio.start_server(self._serve, sock=listener)

    def _look(self) -> None:
        self._looks.append(time.monotonic())
        self._loop.call_later(LOOK_SECONDS, self._look)

    async def _hang_up(self) -> None:
        if self._listener is not None:
            for taking in self._listener.sockets:  # a closed server leaves whom it is just taking open
                self._loop.remove_reader(taking)
            for _ in range(STEPS_TO_SERVE):
                await asyncio.sleep(0)
            self._listener.close()
            self._listener = None
            for _ in range(STEPS_TO_SERVE):  # who was taken at the last moment is hung up on, too
                await asyncio.sleep(0)
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await asyncio.sleep(0)  # for the transports to hear that they are closed

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self._connections.append(time.monotonic())
        server = _Server(self._upstream)
        try:
            if self._certificates:
                await writer.start_tls(self._certificates[self._presented()])
            while True:
                message = await _read(reader)
                request = Request(self._looks[0], time.monotonic(), message.second_word)
                self._requests.append(request)
                await self._answer(message, request, server, reader, writer)
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError, _Over):
            pass
        except asyncio.CancelledError:  # hung up on: not an error of this task's
            pass
        finally:
            self._serving.discard(task)
            server.close()
            _reset(writer)

    def _presented(self) -> str:
        return self._fault.certificate if isinstance(self._fault, Presenting) else RIGHT

    async def _answer(
        self,
        message: Message,
        request: Request,
        server: _Server,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Raises _Over where the connection is not to be used any more."""
        fault = self._fault
        if isinstance(fault, Silent):
            await reader.read()
            raise _Over
        answer = fault.answer() if isinstance(fault, Answering) else await server.ask(message)
        left = answer.whole
        match fault:
            case LosingAnswers():
                raise _Over
            case CuttingBodies():
                left = left[: len(left) - (len(answer.body) + 1) // 2]
            case Delaying(seconds) | Answering(seconds=seconds):
                await asyncio.sleep(seconds)
            case Dripping(seconds):
                for at in range(len(left) - 1):
                    await asyncio.sleep(seconds)
                    writer.write(left[at : at + 1])
                    await writer.drain()
                left = left[-1:]
        # Noted first, so that whoever has the answer finds the note.
        request.status, request.answered_at = int(answer.second_word), time.monotonic()
        writer.write(left)
        await writer.drain()
        if isinstance(fault, CuttingBodies) and answer.body:
            writer.close()
            await writer.wait_closed()
            raise _Over


class _Over(Exception):
    """Nothing more comes over this connection."""


class _Server:
    """The one connection to the server behind a client's connection, made when it is needed."""

    def __init__(self, address: tuple[str | None, int | None]) -> None:
        self._address = address
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, message: Message) -> Message:
        if self._open is None:
            self._open = await asyncio.open_connection(*self._address)
        reader, writer = self._open
        writer.write(message.whole)
        return await _read(reader)

    def close(self) -> None:
        if self._open is not None:
            self._open[1].transport.abort()


async def _read(reader: asyncio.StreamReader) -> Message:
    """One request or answer. Raises IncompleteReadError when the other side leaves."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if line)
    return Message(head, await reader.readexactly(int(fields.get(b"content-length", b"0"))))


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()
