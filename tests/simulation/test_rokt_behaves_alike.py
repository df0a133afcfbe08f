"""The simulated Rokt answers, and fails to answer, as the sandbox does over a socket."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from random import Random
from typing import Any, cast

import httpx
import pytest
from msgspec.structs import replace
from opentelemetry.trace import INVALID_SPAN, NoOpTracer

from infra.events import SESSION
from simulation.core import PATHS
from simulation.processes import Process
from simulation.rokt import Network, SimulatedRokt, Transport
from simulation.trace import Trace
from simulation.virtual_time import VirtualLoop
from worker.mapping import Call, CallItem
from worker.rokt.access import Access, Timeouts
from worker.rokt.answers import Accepted, Failed, Throttled
from worker.rokt.client import RoktClient
from worker.rokt.exchange import Transport as Way
from worker.rokt.transport import HttpTransport
from worker.sandbox.app import Settings
from worker.sandbox.faults import convert_faults
from worker.sandbox.server import start_sandbox
from worker.telemetry.tracing import Tracing

NOW = datetime(2026, 11, 22, tzinfo=UTC)
CONFIRM = Call(
    operation="confirm",
    key="confirm",
    body=b'{"cartId":"c","orderId":"o","items":[{"cartItemId":"i","itemReservationId":"r"},'
    b'{"cartItemId":"fail-i","itemReservationId":"s"}]}',
    fingerprint=b"f" * 16,
    items=(CallItem("i", "r"), CallItem("fail-i", "s")),
    cart_id="c",
    order_id="o",
    session_id=SESSION,
    locale=None,
)
CANCEL = replace(
    CONFIRM, operation="cancel", key="cancel", body=b'{"itemReservationId":"r"}', items=(CallItem("i", "r"),)
)
RELEASE = replace(
    CONFIRM,
    operation="release",
    key="release",
    body=b'{"cartId":"c","items":[{"cartItemId":"j","itemReservationId":"t"}]}',
    items=(CallItem("j", "t"),),
)
UNSEEN = replace(CANCEL, key="unseen", body=b'{"itemReservationId":"unknown"}')
BROKEN = replace(CONFIRM, key="broken", body=b'{"cartId":7}')
NO_SESSION = replace(RELEASE, key="no session", session_id=None)

Order = Callable[[dict[str, Any]], None]
FAULTS: tuple[dict[str, Any], ...] = (
    {"errors": {"503": 1.0}, "retry_after": 7},
    {"errors": {"401": 1.0}},
    {"errors": {"429": 1.0}, "retry_after": 1},
    {"errors_after": {"500": 1.0}},
    {"reset_before": 1.0},
    {"reset_after": 1.0},
    {"timeout_before": 1.0, "hang_seconds": 60.0},
    {"timeout_after": 1.0, "hang_seconds": 60.0},
)


async def conversation(client: RoktClient, order: Order) -> list[tuple[object, ...]]:
    """Each kind of call and each kind of fault, and what was heard; after a fault the same call without one."""
    heard = [await _heard(client, call) for call in (CONFIRM, CONFIRM, RELEASE, CANCEL, UNSEEN, BROKEN, NO_SESSION)]
    for number, faults in enumerate(FAULTS):
        call = replace(CONFIRM, key=f"fault-{number}")
        order(faults)
        heard.append(await _heard(client, call))
        order({})
        heard.append(await _heard(client, call))
    return heard


async def _heard(client: RoktClient, call: Call) -> tuple[object, ...]:
    answer, _ = await client.attempt(call, 0, INVALID_SPAN)
    match answer:
        case Accepted():
            items = [(i.cart_item_id, i.success, bool(i.item_confirmation_id)) for i in answer.items]
            return "Accepted", answer.status, items, answer.unread
        case Failed():
            return "Failed", answer.failure, answer.maybe_applied, answer.status, answer.retry_after
        case Throttled():
            return "Throttled", answer.status, answer.retry_after
        case other:
            return type(other).__name__, other.status, other.body


def on_a_socket() -> list[tuple[object, ...]]:
    with start_sandbox() as sandbox, httpx.Client(base_url=sandbox.url, trust_env=False) as admin:
        return asyncio.run(_talk(sandbox.url, lambda faults: _put(admin, faults)))


async def _talk(url: str, order: Order) -> list[tuple[object, ...]]:
    transport = _sockets()
    try:
        return await conversation(_client(transport, url), order)
    finally:
        await transport.close()


def _put(admin: httpx.Client, faults: dict[str, Any]) -> None:
    admin.put("/sandbox/faults", json=faults).raise_for_status()


def test_every_kind_of_call_and_of_fault_is_heard_alike() -> None:
    with simulated() as (loop, rokt, client):

        def order(faults: dict[str, Any]) -> None:
            rokt.weather.faults = convert_faults(faults)

        heard = loop.run_until_complete(conversation(client, order))
    assert heard == on_a_socket()


def test_nobody_takes_the_call_alike() -> None:
    with simulated() as (loop, rokt, client):
        rokt.weather.network = Network(refuses=1.0)
        heard = loop.run_until_complete(_heard(client, CONFIRM))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    async def call() -> tuple[object, ...]:
        transport = _sockets()
        try:
            return await _heard(_client(transport, f"http://127.0.0.1:{port}"), CONFIRM)
        finally:
            await transport.close()

    assert heard == asyncio.run(call()) == ("Failed", "not-connected", False, None, None)


def test_a_call_that_was_given_up_arrives_all_the_same() -> None:
    with simulated() as (loop, rokt, client):
        rokt.weather.network = Network(slowest=30.0)
        first = loop.run_until_complete(_heard(client, CONFIRM))
        loop.run_until_complete(asyncio.sleep(60.0))
    assert first[:3] == ("Failed", "no-answer", True)
    assert rokt.sandbox.rokt.orders()["o"].confirms == 1


@pytest.mark.parametrize("call", [CONFIRM, CANCEL])
def test_a_process_that_is_no_more_sends_nothing(call: Call) -> None:
    loop = VirtualLoop(Random(0))
    trace = Trace(loop.time)
    process = Process("one", loop, trace)
    process.crash("before")
    rokt = _rokt(loop, trace)
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(_heard(_client(Transport(rokt, process), "http://rokt.example"), call))
    loop.close()
    assert rokt.sent == []


@contextmanager
def simulated() -> Iterator[tuple[VirtualLoop, SimulatedRokt, RoktClient]]:
    loop = VirtualLoop(Random(0))
    trace = Trace(loop.time)
    rokt = _rokt(loop, trace)
    try:
        yield loop, rokt, _client(Transport(rokt, Process("one", loop, trace)), "http://rokt.example")
    finally:
        loop.run_until_complete(asyncio.sleep(100.0))  # for what still hangs
        loop.close()


def _rokt(loop: VirtualLoop, trace: Trace) -> SimulatedRokt:
    tasks: list[asyncio.Task[None]] = []
    return SimulatedRokt(
        loop=loop,
        now=loop.time,
        spawn=lambda task: tasks.append(loop.create_task(task)),
        trace=trace,
        chance=Random(0),
        settings=Settings(),
    )


def _sockets() -> HttpTransport:
    return HttpTransport(max_connections=4, verify=ssl.create_default_context(), keepalive_seconds=5.0)


def _client(transport: Way, url: str) -> RoktClient:
    access = Access(
        urls=cast("Any", {name: url + path for name, path in PATHS.items()}),
        api_key="key",
        tag_id="tag",
        accept_language=None,
        idempotency_key="bare",
        timeouts=Timeouts(total=1.0, connect=1.0, write=1.0),
        max_response_bytes=100_000,
        max_retry_after_seconds=60.0,
    )
    return RoktClient(transport, access, Tracing(NoOpTracer(), group="g", link_producer=False), lambda: NOW)
