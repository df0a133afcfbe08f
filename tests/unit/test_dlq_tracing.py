"""The trace of a redrive: it goes on from the shop's, and points at the attempt that failed."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from worker.record import Headers
from worker.telemetry.export import Provider
from worker.telemetry.tracing import Source, Tracing, ended

SHOP, FAILED = ("1" * 32, "2" * 16), ("3" * 32, "4" * 16)
Ids = tuple[str, str]


def traceparent(ids: Ids) -> Headers:
    return (("traceparent", f"00-{ids[0]}-{ids[1]}-01".encode()),)


@pytest.mark.parametrize(
    ("link_producer", "headers", "failing", "parent", "linked"),
    [
        (False, traceparent(SHOP), traceparent(FAILED), SHOP, [FAILED]),
        (True, traceparent(SHOP), traceparent(FAILED), None, [SHOP, FAILED]),
        (False, traceparent(SHOP), (), SHOP, []),
        (False, (), traceparent(FAILED), None, [FAILED]),
        (True, (), (("traceparent", b"nonsense"),), None, []),
    ],
    ids=["continued", "linked", "an event's first time", "a shop without traces", "nonsense"],
)
def test_the_span_has_the_shops_context_and_a_link_to_the_failing_attempt(
    link_producer: bool, headers: Headers, failing: Headers, parent: Ids | None, linked: list[Ids]
) -> None:
    exporter, provider = InMemorySpanExporter(), Provider(Resource({}), {}, records=True)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing = Tracing(provider.get_tracer("test"), group="ours", link_producer=link_producer)
    with ended(tracing.process(Source("orders", 0, 1, headers, 5, failing))):
        pass
    provider.shutdown()
    [span] = exporter.get_finished_spans()
    assert (span.parent and (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}")) == parent
    contexts = [link.context for link in span.links]
    assert [(f"{each.trace_id:032x}", f"{each.span_id:016x}") for each in contexts] == linked
