"""One trace for each event: from the shop's producer over every attempt at Rokt to the outcome."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from infra.brokers import Broker
from infra.events import SESSION, cancelled, completed, encoded
from infra.rokt import Rokt
from infra.worker import API_KEY, Worker, until
from worker.demo.spans import Collector, Span, of_trace

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SHOP = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SHOP}-01"
PATH = "/v1/Cart/confirm"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def _traced(worker: Worker, collector: Collector, **settings: str) -> None:
    worker.start(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="100", **settings)


def _named(spans: list[Span], name: str) -> list[Span]:
    return [span for span in spans if span.name == name]


def test_a_trace_leads_from_the_shop_to_every_attempt(
    broker: Broker, worker: Worker, rokt: Rokt, collector: Collector
) -> None:
    rokt.faults(errors={"503": 1.0})
    place = broker.produce(
        worker.completed, encoded(completed("ada", attributes={"x": "canary"})), headers=[("traceparent", PARENT)]
    )
    _traced(worker, collector)
    assert until(lambda: len(rokt.calls()) >= 2)
    rokt.faults()
    [outcome] = worker.read_outcomes(1)
    assert worker.stop() == 0

    spans = of_trace(collector.spans, TRACE)
    [process] = _named(spans, f"process {worker.completed}")
    attempts = _named(spans, f"POST {PATH}")
    [send] = _named(spans, f"send {worker.outcomes}")
    assert process.parent_id == SHOP
    assert {span.parent_id for span in (*attempts, send)} == {process.span_id}
    assert (
        process.attributes.items()
        >= {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.destination.name": worker.completed,
            "messaging.destination.partition.id": str(place.partition),
            "messaging.kafka.offset": place.offset,
            "messaging.consumer.group.name": worker.group,
            "rokt.cart.id": "ada",
            "rokt.order.id": "order-ada",
            "rokt.status": "succeeded",
            "rokt.idempotency_key": outcome["idempotencyKey"],
        }.items()
    )
    [written] = broker.read(worker.outcomes, 1, 30)
    assert send.attributes["messaging.destination.partition.id"] == str(written.partition)
    assert send.attributes["messaging.kafka.offset"] == written.offset
    assert [span.attributes["http.request.resend_count"] for span in attempts] == list(range(len(attempts)))
    statuses = [span.attributes["http.response.status_code"] for span in attempts]
    assert statuses == [503] * (len(attempts) - 1) + [200]
    assert [span.failed for span in attempts] == [True] * (len(attempts) - 1) + [False]
    assert attempts[0].attributes["error.type"] == "503"
    assert attempts[0].attributes["url.full"] == rokt.url + PATH
    assert [call["traceparent"].split("-")[2] for call in rokt.calls()] == [span.span_id for span in attempts]
    everything = " ".join(f"{span.name} {span.attributes}" for span in collector.spans)
    assert not [secret for secret in ("canary", API_KEY, SESSION, "19.99") if secret in everything]


def test_the_dead_letter_carries_the_failing_attempts_context(
    broker: Broker, worker: Worker, collector: Collector
) -> None:
    refused = completed("ada", roktSessionId=None)
    broker.produce(worker.completed, encoded(refused), headers=[("traceparent", PARENT)])
    _traced(worker, collector)
    [letter] = broker.read(f"{worker.completed}.dlq", 1, 30)
    assert worker.stop() == 0

    [attempt] = _named(collector.spans, f"POST {PATH}")
    carried = (letter.header("traceparent") or b"").decode().split("-")
    assert carried[1:3] == [TRACE, attempt.span_id]
    assert _named(collector.spans, f"send {worker.completed}.dlq")


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_the_producers_context_can_be_a_link_instead(broker: Broker, worker: Worker, collector: Collector) -> None:
    broker.produce(worker.completed, encoded(completed("ada")), headers=[("traceparent", PARENT)])
    _traced(worker, collector, WORKER_TRACING__PRODUCER_CONTEXT="link")
    [outcome] = worker.read_outcomes(1)
    assert worker.stop() == 0

    [process] = _named(collector.spans, f"process {worker.completed}")
    assert process.trace_id == outcome["traceId"] != TRACE
    assert process.parent_id == ""


@pytest.fixture(params=["away", "hangs"])
def useless(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a collector that is not there, or of one that takes what it is sent and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        if request.param == "away":
            listener.close()
        yield address


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_a_collector_that_takes_nothing_changes_nothing(broker: Broker, worker: Worker, useless: str) -> None:
    for n in range(50):
        broker.produce(worker.completed, encoded(completed(f"cart-{n}")), headers=[("traceparent", "not one")])
    often = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_METRIC_EXPORT_INTERVAL": "50"}
    worker.start(OTEL_EXPORTER_OTLP_ENDPOINT=useless, **often)

    assert len(worker.read_outcomes(50)) == 50
    assert worker.stop() == 0
    assert worker.lag() == 0
    complaints = [line for line in worker.lines() if str(line.get("logger")).startswith("opentelemetry")]
    assert len(complaints) <= 6  # a logger's warning and its error, for traces, for metrics, and at the end


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_a_collector_without_tls_has_nothing_but_our_lines_stand_in_the_log(
    broker: Broker, worker: Worker, collector: Collector
) -> None:
    broker.produce(worker.completed, encoded(completed("ada")))
    tls = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url.replace("http:", "https:")}
    worker.start(**tls, OTEL_EXPORTER_OTLP_PROTOCOL="grpc", OTEL_BSP_SCHEDULE_DELAY="50")

    assert until(lambda: any(str(line.get("logger")).startswith("opentelemetry") for line in worker.lines()))
    assert worker.stop() == 0
    assert [line for line in worker.output().splitlines() if not line.startswith("{")] == []


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_baggage_reaches_the_outcome_as_it_came(broker: Broker, worker: Worker) -> None:
    baggage = ("baggage", "user=ada@example.com")
    broker.produce(worker.completed, encoded(completed("ada")), headers=[("traceparent", PARENT), baggage])
    worker.start()

    [outcome] = broker.read(worker.outcomes, 1, 30)
    assert worker.stop() == 0
    assert outcome.header("baggage") == b"user=ada@example.com"
    assert "ada@example.com" not in worker.output()


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_the_span_of_a_cancel_of_one_item_has_its_key(broker: Broker, worker: Worker, collector: Collector) -> None:
    broker.produce(worker.completed, encoded(completed("ada")), key="ada")
    _traced(worker, collector)
    assert worker.read_outcomes(1)
    broker.produce(worker.cancelled, encoded(cancelled("ada")), key="ada")
    [_, outcome] = worker.read_outcomes(2)
    assert worker.stop() == 0

    [process] = _named(collector.spans, f"process {worker.cancelled}")
    assert process.attributes["rokt.idempotency_key"] == outcome["idempotencyKey"]
