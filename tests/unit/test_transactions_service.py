"""What is answered to a request that is not recorded: limits, forms, and a process that stops."""

import asyncio
import random
import time
from datetime import UTC, datetime

import httpx
import structlog
from pydantic import SecretStr

from worker.errors import RegistryUnavailable
from worker.ledger.entering import Mine
from worker.record import Headers
from worker.retry import Backoff
from worker.settings import TransactionsSettings
from worker.surroundings import Surroundings
from worker.telemetry import export
from worker.telemetry.meters import Meters
from worker.telemetry.tracing import Tracing
from worker.transactions.access import Access
from worker.transactions.answers import CREATED, Reply
from worker.transactions.application import Manual, Probes, application
from worker.transactions.form import default_form
from worker.transactions.recorder import Recorder
from worker.transactions.service import Service
from worker.transactions.transaction import Transaction

SETTINGS = TransactionsSettings(
    open=True, client_id="rokt", client_secret=SecretStr("canary-secret"), max_body_bytes=1_024
)
AROUND = Surroundings(
    Tracing(export.outlets({}).tracer, group="-", link_producer=False),
    Backoff(1.0, 1.0),
    random.random,
    time.monotonic,
    lambda: datetime.now(UTC),
    structlog.get_logger(),
    Meters(),
)


class Taking:
    """Takes everything; `endless` never comes to an end with it."""

    def __init__(self, *, endless: bool = False) -> None:
        self.begun = asyncio.Event()
        self._endless = endless

    async def record(self, *_: object) -> Reply:
        self.begun.set()
        await asyncio.sleep(3_600 if self._endless else 0)
        return CREATED


def client(recorder: Taking) -> httpx.AsyncClient:
    form = default_form(("transactionId",))
    service = Service(SETTINGS, form, Access(SETTINGS), recorder, AROUND, time.time)  # type: ignore[arg-type]

    async def metrics() -> bytes:
        return b""

    served = application(service, SETTINGS.path, Manual({}, ""), Probes(list, metrics))
    return httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://x")


def answer(method: str, path: str, content: bytes = b"", content_type: str = "") -> httpx.Response:
    async def ask() -> httpx.Response:
        headers = {"content-type": content_type} if content_type else {}
        async with client(Taking()) as asking:
            return await asking.request(method, path, content=content, headers=headers)

    return asyncio.run(ask())


def test_a_query_has_the_limit_of_a_body() -> None:
    begun = f"{SETTINGS.path}?transactionId=1&more="
    assert answer("GET", begun + "x" * 900).status_code == 201
    told = answer("GET", begun + "x" * 1_024)
    assert (told.status_code, told.json()["errors"][0]["code"]) == (414, "too-large")


def test_nobody_is_sent_elsewhere() -> None:
    told = answer("POST", SETTINGS.path + "/", b"{}", "application/json")
    assert (told.status_code, told.json()["errors"][0]["code"]) == (404, "not-found")


def test_a_token_is_asked_for_in_a_form() -> None:
    asked = b"grant_type=client_credentials&client_id=rokt&client_secret=canary-secret"
    assert answer("POST", "/oauth/token", asked, "application/x-www-form-urlencoded").status_code == 200
    assert answer("POST", "/oauth/token", asked, "application/json").status_code == 415
    assert answer("POST", "/oauth/token", asked).status_code == 415


def test_one_who_is_cut_off_by_a_stop_is_told_to_send_it_again() -> None:
    async def ask() -> httpx.Response:
        taking = Taking(endless=True)
        async with client(taking) as asking:
            waiting = asyncio.create_task(asking.post(SETTINGS.path, json={"transactionId": "1"}))
            await taking.begun.wait()
            waiting.cancel()
            return await waiting

    told = asyncio.run(ask())
    assert (told.status_code, told.json()["errors"][0]["code"]) == (503, "stopping")
    assert int(told.headers["retry-after"]) > 0


class Letting:
    """Lets everybody in."""

    released = 0

    def ticket(self, digest: bytes) -> tuple[bytes, str]:
        return digest, "1"

    async def claim(self, _: object) -> Mine:
        return Mine()

    def release(self, _: object) -> None:
        self.released += 1


class NoRegistry:
    async def encode(self, *_: object) -> bytes:
        raise RegistryUnavailable("away")


def test_a_registry_that_is_away_is_not_told_as_brokers_that_are() -> None:
    heard: list[object] = []
    letting = Letting()
    recorder = Recorder(
        letting,  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
        NoRegistry(),
        topic="rokt-transactions",
        patient_seconds=1.0,
        around=AROUND,
        heard=lambda **given: heard.append(given),
    )
    headers: Headers = ()
    with AROUND.tracing.serve("POST", "/", headers) as span:
        reply = asyncio.run(recorder.record(Transaction("1", {}, {}), headers, span))
    assert (reply.status, reply.result, letting.released) == (503, "registry", 1)
    assert {"broker": False} not in heard
