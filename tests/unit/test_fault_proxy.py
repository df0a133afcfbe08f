"""The fault proxy of the tests does to a client what each fault says, and notes what passed."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.certificates import Authority
from infra.fault_proxy import FaultProxy
from infra.faults_on_the_way import (
    Answering,
    CuttingBodies,
    Delaying,
    Dripping,
    LosingAnswers,
    Passing,
    Presenting,
    Refusing,
    Silent,
)
from infra.rokt import Rokt

HEADERS = {"rokt-api-key": "k", "rokt-tag-id": "t", "rokt-session-id": "s"}


@pytest.fixture(scope="module")
def rokt() -> Iterator[Rokt]:
    server = Rokt()
    yield server
    server.stop()


@pytest.fixture
def proxy(rokt: Rokt) -> Iterator[FaultProxy]:
    between = FaultProxy(rokt.url)
    yield between
    between.stop()


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy.url, headers=HEADERS, trust_env=False, timeout=5) as one:
        yield one


def _confirm(client: httpx.Client, cart: str) -> httpx.Response:
    return client.post("/v1/Cart/confirm", json={"cartId": cart, "orderId": f"order-{cart}"})


def _applied(rokt: Rokt, cart: str) -> bool:
    return any(call["cart_id"] == cart and call["applied"] for call in rokt.calls())


def test_requests_pass_and_are_noted_with_their_times(client: httpx.Client, proxy: FaultProxy) -> None:
    before = time.monotonic()
    assert [_confirm(client, f"pass-{n}").status_code for n in range(3)] == [200, 200, 200]
    [kept] = proxy.connections()
    seen = proxy.requests()
    assert {(request.path, request.status) for request in seen} == {("/v1/Cart/confirm", 200)}
    times = [at or 0.0 for request in seen for at in (request.at, request.answered_at)]
    in_order = [before, kept, *times, time.monotonic()]
    assert in_order == sorted(in_order)


def test_while_it_refuses_nobody_listens_and_afterwards_it_does_again(client: httpx.Client, proxy: FaultProxy) -> None:
    _confirm(client, "refuse-1")
    proxy.order(Refusing())
    with pytest.raises(httpx.TransportError):  # the connection that was kept
        _confirm(client, "refuse-2")
    with pytest.raises(httpx.ConnectError):
        _confirm(client, "refuse-2")
    assert len(proxy.requests()) == 1
    proxy.order(Passing())
    assert _confirm(client, "refuse-2").status_code == 200


def test_an_answer_that_is_lost_was_applied(client: httpx.Client, proxy: FaultProxy, rokt: Rokt) -> None:
    proxy.order(LosingAnswers())
    with pytest.raises(httpx.ReadError):
        _confirm(client, "lost")
    assert _applied(rokt, "lost")
    assert [request.status for request in proxy.requests()] == [None]


def test_one_that_is_silent_passes_nothing_on(client: httpx.Client, proxy: FaultProxy, rokt: Rokt) -> None:
    proxy.order(Silent())
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v1/Cart/confirm", json={"cartId": "silent", "orderId": "o"}, timeout=0.1)
    assert not _applied(rokt, "silent")


def test_a_body_that_is_cut_came_with_its_headers(client: httpx.Client, proxy: FaultProxy) -> None:
    proxy.order(CuttingBodies())
    with client.stream("POST", "/v1/Cart/confirm", json={"cartId": "cut", "orderId": "o"}) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()


def test_answers_come_late_or_byte_by_byte(client: httpx.Client, proxy: FaultProxy) -> None:
    proxy.order(Delaying(0.2))
    begun = time.monotonic()
    assert _confirm(client, "late").status_code == 200
    assert time.monotonic() - begun >= 0.2
    proxy.order(Dripping(0.001))
    begun = time.monotonic()
    assert _confirm(client, "drip").status_code == 200
    assert time.monotonic() - begun >= 0.1


def test_it_answers_by_itself_what_it_is_told(client: httpx.Client, proxy: FaultProxy, rokt: Rokt) -> None:
    proxy.order(Answering(429, lambda: "Thu, 31 Dec 2026 23:59:59 GMT"))
    answer = _confirm(client, "told")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "Thu, 31 Dec 2026 23:59:59 GMT")
    assert not _applied(rokt, "told")
    proxy.order(Answering(404))
    assert _confirm(client, "told").status_code == 404
    assert [request.status for request in proxy.requests()] == [429, 404]


def test_a_certificate_is_wrong_by_its_host_or_its_issuer(rokt: Rokt, tmp_path: Path) -> None:
    known, unknown = Authority(tmp_path, "known"), Authority(tmp_path, "unknown")
    certificates = {
        "right": known.context("127.0.0.1"),
        "another host": known.context("rokt.example"),
        "another issuer": unknown.context("127.0.0.1"),
    }
    trust = ssl.create_default_context(cafile=str(known.file))
    proxy = FaultProxy(rokt.url, certificates)
    with httpx.Client(base_url=proxy.url, headers=HEADERS, verify=trust, trust_env=False, timeout=5) as client:
        assert _confirm(client, "tls-1").status_code == 200
        for name, complaint in (("another host", "mismatch"), ("another issuer", "self-signed|unable to get")):
            proxy.order(Presenting(name))
            with pytest.raises(httpx.TransportError):  # the connection that was kept
                _confirm(client, "tls-2")
            with pytest.raises(httpx.ConnectError, match=complaint):
                _confirm(client, "tls-2")
        proxy.order(Passing())
        assert _confirm(client, "tls-2").status_code == 200
    assert len(proxy.requests()) == 2
    assert len(proxy.connections()) >= 4
    proxy.stop()
