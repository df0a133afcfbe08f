"""What an engineer finds in the tracing backend, asked by its own API: Jaeger, and a collector in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind

from infra.brokers import Broker
from infra.commands import rokt_worker
from infra.events import completed, encoded
from infra.jaeger import Collector, Jaeger, Span
from infra.rokt import Rokt
from infra.worker import Worker, until
from worker.sandbox.app import Settings
from worker.telemetry.tracing import span_id, trace_id

pytestmark = pytest.mark.timeout(1_500)  # the backend may still be building
PATH = "/v1/Cart/confirm"
SEED = 7  # of the sandbox's faults: with one of two calls refused, the first two are, and the third is not


@pytest.fixture
def rokt() -> Iterator[Rokt]:
    server = Rokt(Settings(seed=SEED))
    yield server
    server.stop()


@pytest.fixture
def collector(jaeger: Jaeger) -> Iterator[Collector]:
    running = Collector(jaeger, DECISION_WAIT="1s", KEPT_PERCENT="0", SLOW_MS="60000")
    running.start()
    yield running
    running.remove()


class Shop:
    """The shop's service, which has a trace of its own for each order."""

    def __init__(self, worker: Worker, to: str) -> None:
        self._worker = worker
        self._provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
        self._provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{to}/v1/traces")))

    def completes(self, cart: str) -> tuple[str, str]:
        """The ids of the order's trace and of the span that published it."""
        topic = self._worker.completed
        with self._provider.get_tracer("shop").start_as_current_span(f"send {topic}", kind=SpanKind.PRODUCER) as span:
            trace, own = trace_id(span) or "", span_id(span) or ""
            context = ("traceparent", f"00-{trace}-{own}-01")
            self._worker.broker.produce(topic, encoded(completed(cart)), headers=[context])
        return trace, own

    def close(self) -> None:
        self._provider.shutdown()


def start(worker: Worker, otlp: str, **settings: str) -> None:
    worker.start(
        OTEL_EXPORTER_OTLP_ENDPOINT=otlp,
        OTEL_BSP_SCHEDULE_DELAY="100",
        OTEL_METRIC_EXPORT_INTERVAL="500",
        **settings,
    )


def there(jaeger: Jaeger, trace: str, spans: int) -> list[Span]:
    """The trace once it has so many spans."""
    assert until(lambda: len(jaeger.trace(trace)) >= spans, 30), [span.name for span in jaeger.trace(trace)]
    return jaeger.trace(trace)


def named(spans: list[Span], name: str) -> list[Span]:
    return [span for span in spans if span.name == name]


def test_an_order_that_needed_three_attempts_is_one_trace_from_the_shop_to_the_outcome(
    broker: Broker, worker: Worker, rokt: Rokt, jaeger: Jaeger
) -> None:
    rokt.faults(errors={"503": 0.5})
    start(worker, jaeger.otlp, OTEL_METRICS_EXPORTER="none")
    shop = Shop(worker, jaeger.otlp)
    trace, sent = shop.completes("ada")
    spans = there(jaeger, trace, 6)
    shop.close()
    assert worker.stop() == 0

    [published] = named(spans, f"send {worker.completed}")
    [process] = named(spans, f"process {worker.completed}")
    [outcome] = named(spans, f"send {worker.outcomes}")
    attempts = named(spans, f"POST {PATH}")
    assert len(spans) == 6
    assert (published.service, published.span_id, published.kind) == ("shop", sent, "producer")
    assert {span.service for span in (process, outcome, *attempts)} == {"rokt-worker"}
    assert (process.parent_id, process.kind, process.failed) == (sent, "consumer", False)
    assert {(span.parent_id, span.kind) for span in attempts} == {(process.span_id, "client")}
    assert (outcome.parent_id, outcome.kind) == (process.span_id, "producer")
    assert [span.attributes["http.request.resend_count"] for span in attempts] == [0, 1, 2]
    assert [span.attributes["http.response.status_code"] for span in attempts] == [503, 503, 200]
    assert [span.failed for span in attempts] == [True, True, False]
    assert (
        process.attributes.items()
        >= {
            "messaging.system": "kafka",
            "messaging.destination.name": worker.completed,
            "messaging.consumer.group.name": worker.group,
            "rokt.cart.id": "ada",
            "rokt.order.id": "order-ada",
            "rokt.status": "succeeded",
            "rokt.fate": "succeeded",
        }.items()
    )
    waits = [event.attributes for event in process.events if event.name == "rokt.waited"]
    assert [wait["rokt.wait.detail"] for wait in waits if wait["rokt.wait.cause"] == "backoff"] == [
        "Rokt answered 503"
    ] * 2


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_a_redrive_and_a_replay_lead_to_the_attempt_that_failed_first(
    broker: Broker, worker: Worker, jaeger: Jaeger
) -> None:
    """The record has no trace context of the shop's: each time another trace begins."""
    broker.produce(worker.completed, encoded(completed("ada", roktSessionId=None)))
    start(worker, jaeger.otlp, OTEL_METRICS_EXPORTER="none")
    [first] = worker.read_outcomes(1)
    assert worker.stop() == 0
    spans = there(jaeger, first["traceId"], 4)
    [process] = named(spans, f"process {worker.completed}")
    [attempt] = named(spans, f"POST {PATH}")
    [letter] = named(spans, f"send {worker.completed}.dlq")
    assert (process.failed, process.attributes["error.type"]) == (True, "rejected")
    assert letter.links == (attempt.span_id,)

    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": jaeger.otlp, "OTEL_METRICS_EXPORTER": "none"}
    settings = worker.settings | traced
    assert rokt_worker("dlq", "redrive", settings=settings, folder=worker.folder).code == 0
    [_, again] = worker.read_outcomes(2)
    [redriven] = named(there(jaeger, again["traceId"], 4), f"process {worker.completed}")
    assert again["traceId"] != first["traceId"]
    assert redriven.attributes["rokt.redrives"] == 1
    assert set(redriven.links) == {attempt.span_id, process.span_id}

    everything = ("replay", "--since", "2026-01-01", "--beyond-ledger", "--again")
    assert rokt_worker(*everything, settings=settings, folder=worker.folder).code == 0
    [*_, replayed] = worker.read_outcomes(3)
    [process_again] = named(there(jaeger, replayed["traceId"], 4), f"process {worker.completed}")
    assert process_again.links == (redriven.span_id,)


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_the_collector_keeps_what_went_wrong_and_offers_the_metrics_that_are_pushed_to_it(
    broker: Broker, worker: Worker, rokt: Rokt, jaeger: Jaeger, collector: Collector
) -> None:
    start(worker, collector.otlp)
    shop = Shop(worker, collector.otlp)
    well, _ = shop.completes("bob")
    assert until(lambda: rokt.calls())
    rokt.faults(errors={"503": 1.0})
    troubled, _ = shop.completes("ada")
    assert until(lambda: len(rokt.calls()) >= 3)
    rokt.faults()
    assert named(there(jaeger, troubled, 5), f"process {worker.completed}")
    shop.close()
    assert until(lambda: _value(_scraped(collector), "rokt_events_settled_total", fate="succeeded") == 2, 30)
    assert worker.stop() == 0

    assert jaeger.trace(well) == []  # which was decided before the other one, since it came before
    assert "error" not in collector.log().lower(), collector.log()[-2000:]


def _scraped(collector: Collector) -> str:
    return httpx.get(collector.metrics, timeout=5, trust_env=False).text


def _value(text: str, name: str, **labels: str) -> float:
    """The sum of the series of a metric that have these labels."""
    wanted: list[Callable[[str], bool]] = [lambda line, pair=f'{k}="{v}"': pair in line for k, v in labels.items()]  # type: ignore[misc]
    lines = [line for line in text.splitlines() if line.startswith(f"{name}{{") and all(has(line) for has in wanted)]
    return sum(float(line.rpartition(" ")[2]) for line in lines)
