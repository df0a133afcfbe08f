"""What Rokt sells on the partner's pages arrives in the partner's stream: once, and only then is Rokt told so."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from infra.brokers import Broker
from infra.endpoint import API_KEY, PATH, Endpoint
from infra.worker import until
from worker.demo.spans import Collector

SOLD = {"transactionId": "t-1", "email": "ada@example.com", "firstName": "Ada", "country": "US", "offer": "parking"}
CREATED, DUPLICATE = (201, {"status": "created"}), (200, {"status": "duplicate"})


@pytest.fixture
def endpoint(broker: Broker, tmp_path: Path) -> Iterator[Endpoint]:
    process = Endpoint(broker, tmp_path)
    yield process
    process.end()
    assert "Traceback" not in process.output(), process.output()[-3000:]
    assert not process.lines("worker.defect")


def told(answer: httpx.Response) -> tuple[int, object]:
    return answer.status_code, answer.json()


def bodies(values: dict[str, str]) -> dict[str, bytes]:
    """The same in every encoding."""
    elements = "".join(f"<{name}>{value}</{name}>" for name, value in values.items())
    return {
        "application/x-www-form-urlencoded": urlencode(values).encode(),
        "text/plain": "\n".join(f"{name}={value}" for name, value in values.items()).encode(),
        "application/xml": f"<transaction>{elements}</transaction>".encode(),
    }


def test_a_transaction_is_written_once_however_often_and_in_whichever_form_it_is_sent(endpoint: Endpoint) -> None:
    endpoint.start()
    assert told(endpoint.send(SOLD)) == CREATED
    assert told(endpoint.send(SOLD)) == DUPLICATE
    assert told(endpoint.send(SOLD, method="PUT")) == DUPLICATE
    for media, body in bodies(SOLD).items():
        assert told(endpoint.send(None, content=body, headers={"content-type": media})) == DUPLICATE
    assert told(endpoint.send(None, method="GET", content=b"", params=SOLD)) == DUPLICATE
    assert told(endpoint.send(None, method="GET", content=b"", params=SOLD | {"transactionId": "t-2"})) == CREATED

    records = endpoint.records(2)
    assert {record["transactionId"] for record in records} == {"t-1", "t-2"}
    [first] = [record for record in records if record["transactionId"] == "t-1"]
    assert first["values"]["email"] == "ada@example.com"
    assert first["attributes"] == {"offer": "parking"}
    assert endpoint.stop() == 0
    assert "ada@example.com" not in endpoint.output()


def test_a_hundred_at_once_are_one_record(endpoint: Endpoint) -> None:
    endpoint.start()

    async def all_at_once() -> Counter[int]:
        limits = httpx.Limits(max_connections=100)
        headers = {"x-api-key": API_KEY}
        async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False, headers=headers) as client:
            answers = await asyncio.gather(*(client.post(endpoint.url + PATH, json=SOLD) for _ in range(100)))
        return Counter(answer.status_code for answer in answers)

    assert asyncio.run(all_at_once()) == {201: 1, 200: 99}
    assert len(endpoint.records(1)) == 1
    assert endpoint.stop() == 0


def test_after_a_kill_under_load_every_transaction_that_was_created_has_its_record(endpoint: Endpoint) -> None:
    endpoint.start()
    created: set[str] = set()
    begun = threading.Event()

    def send(first: int) -> None:
        for n in range(first, 100_000, 4):
            try:
                answer = endpoint.send({"transactionId": f"t-{n}"})
            except httpx.HTTPError:
                return
            if answer.status_code == 201:
                created.add(f"t-{n}")
            if len(created) > 40:
                begun.set()

    senders = [threading.Thread(target=send, args=(first,)) for first in range(4)]
    for sender in senders:
        sender.start()
    assert begun.wait(30)
    endpoint.kill()
    for sender in senders:
        sender.join(30)

    written = {record["transactionId"] for record in endpoint.records(len(created))}
    assert created <= written
    endpoint.start()
    for id_ in sorted(created)[:20]:
        assert told(endpoint.send({"transactionId": id_})) == DUPLICATE
    assert endpoint.stop() == 0


def test_what_is_wrong_is_told_by_field_in_the_form_of_rokts_own_errors(endpoint: Endpoint) -> None:
    endpoint.start()
    answer = endpoint.send({"email": "canary.example.com", "firstName": "canary" * 1_000})
    assert answer.status_code == 400
    assert set(answer.json()) == {"description", "errors"}
    codes = {error["value"].get("field"): error["code"] for error in answer.json()["errors"]}
    assert codes == {"transactionId": "missing", "email": "format", "firstName": "too-long"}
    nested = endpoint.send({"transactionId": "t-1", "firstName": ["canary"]})
    assert (nested.status_code, [error["code"] for error in nested.json()["errors"]]) == (400, ["nested"])
    assert "canary" not in answer.text + nested.text
    missing = endpoint.send({"email": "ada@example.com"})
    assert [(error["code"], error["value"]) for error in missing.json()["errors"]] == [
        ("missing", {"field": "transactionId"})
    ]
    assert endpoint.send(None, content=b"{}", headers={"content-type": "image/png"}).status_code == 415
    assert endpoint.send(None, content=b"x" * 100_000, headers={"content-type": "text/plain"}).status_code == 413
    assert endpoint.send(SOLD, headers={"x-api-key": "wrong"}).status_code == 401
    assert httpx.delete(endpoint.url + PATH, trust_env=False).status_code == 405
    assert set(httpx.get(f"{endpoint.url}/nothing", trust_env=False).json()) == {"description", "errors"}
    head = httpx.head(endpoint.url + PATH, params=SOLD, headers={"x-api-key": API_KEY}, trust_env=False)
    assert head.status_code == 405
    assert endpoint.stop() == 0
    assert endpoint.records(timeout=1) == []
    assert "canary" not in endpoint.output()


def test_a_client_gets_a_token_and_comes_in_with_it(endpoint: Endpoint) -> None:
    endpoint.start(WORKER_TRANSACTIONS__CLIENT_ID="rokt", WORKER_TRANSACTIONS__CLIENT_SECRET="canary-secret")
    asked = {"grant_type": "client_credentials"}
    token = httpx.post(f"{endpoint.url}/oauth/token", data=asked, auth=("rokt", "canary-secret"), trust_env=False)
    assert (token.status_code, token.json()["token_type"]) == (200, "Bearer")
    bearer = {"authorization": f"Bearer {token.json()['access_token']}", "x-api-key": ""}
    assert told(endpoint.send(SOLD, headers=bearer)) == CREATED
    wrong = httpx.post(f"{endpoint.url}/oauth/token", data=asked, auth=("rokt", "no"), trust_env=False)
    assert (wrong.status_code, wrong.json()) == (401, {"error": "invalid_client"})
    assert endpoint.stop() == 0
    assert "canary-secret" not in endpoint.output()


def test_one_who_sends_slowly_holds_up_nobody_and_is_cut_off(endpoint: Endpoint) -> None:
    endpoint.start(WORKER_TRANSACTIONS__READ_SECONDS="0.5")
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nx-api-key: {API_KEY}\r\ncontent-type: application/json\r\n"
    for beginning in (b"POST ", head.encode(), f"{head}content-length: 100\r\n\r\n{{".encode()):
        with socket.create_connection(("127.0.0.1", endpoint.port), timeout=20) as slow:
            slow.sendall(beginning)
            assert told(endpoint.send(SOLD))[0] in (200, 201)
            answered = slow.recv(4_096)
            assert not answered or b" 408 " in answered.split(b"\r\n")[0]
    assert endpoint.stop() == 0


@pytest.mark.parametrize("broker", [pytest.param("kafka", marks=pytest.mark.real_kafka)], indirect=True)
def test_while_brokers_are_away_it_is_told_to_come_again_and_nothing_is_half_done(
    broker: Broker, endpoint: Endpoint
) -> None:
    endpoint.start(WORKER_KAFKA__DELIVERY_SECONDS="2")
    assert told(endpoint.send(SOLD)) == CREATED
    broker.kill()
    answer = endpoint.send(SOLD | {"transactionId": "t-2"})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert told(endpoint.send(SOLD)) == DUPLICATE
    assert until(lambda: not endpoint.is_ready())
    broker.restart()
    assert until(endpoint.is_ready)
    assert until(lambda: told(endpoint.send(SOLD | {"transactionId": "t-2"})) == CREATED)
    assert {record["transactionId"] for record in endpoint.records(2)} >= {"t-1", "t-2"}
    assert endpoint.stop() == 0


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_the_requests_trace_goes_on_into_the_record(endpoint: Endpoint, broker: Broker) -> None:
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    with Collector() as collector:
        endpoint.start(
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_METRICS_EXPORTER="none", OTEL_BSP_SCHEDULE_DELAY="100"
        )
        endpoint.send(SOLD, headers={"traceparent": f"00-{trace}-{span}-01"})
        [record] = broker.read(endpoint.topic, 1, 30)
        assert endpoint.stop() == 0
        spans = {one.name: one for one in collector.spans}
    served, sent = spans[f"POST {PATH}"], spans[f"send {endpoint.topic}"]
    assert (served.trace_id, served.parent_id, sent.parent_id) == (trace, span, served.span_id)
    assert served.attributes["http.response.status_code"] == 201
    assert (record.header("traceparent") or b"").decode().split("-")[1:3] == [trace, sent.span_id]
    assert not [one for one in collector.spans if "ada" in str(one.attributes)]


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_a_sigterm_lets_requests_under_way_come_to_their_end(endpoint: Endpoint) -> None:
    endpoint.start()
    answers: list[int] = []

    def send(n: int) -> None:
        # It came when nobody listened any more; one that came just then is closed without an answer.
        with suppress(httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError):
            answers.append(endpoint.send({"transactionId": f"t-{n}"}).status_code)

    senders = [threading.Thread(target=send, args=(n,)) for n in range(20)]
    for sender in senders:
        sender.start()
    assert until(lambda: answers)
    assert endpoint.stop() == 0
    for sender in senders:
        sender.join(30)
    assert set(answers) <= {201, 503}
    assert len(endpoint.records(answers.count(201))) == answers.count(201)


def test_too_many_a_second_are_told_when_to_come_again(endpoint: Endpoint) -> None:
    endpoint.start(WORKER_TRANSACTIONS__MAX_REQUESTS_PER_SECOND="2")
    began = time.monotonic()
    answers = [endpoint.send({"transactionId": f"t-{n}"}) for n in range(30)]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {201, 429}
    assert len(answers) - len(limited) <= 2 + 2 * (time.monotonic() - began) + 1
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in limited)
    assert endpoint.stop() == 0
