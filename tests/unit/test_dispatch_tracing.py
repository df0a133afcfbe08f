"""What is said on the span of an event that is left to whoever has its partition next."""

from __future__ import annotations

from typing import cast

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from structlog.testing import CapturingLogger
from structlog.typing import FilteringBoundLogger

from faults.fakes import FakePipeline, VirtualLoop
from worker.dispatch import Dispatcher
from worker.pipeline import Later, Pipeline
from worker.record import Record
from worker.stream.assignment import Assignment
from worker.telemetry.meters import Meters
from worker.telemetry.names import ROKT_FATE
from worker.work import Work


class Waiting(FakePipeline):
    """Each event waits for another one, and has a span meanwhile."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)
        self.tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
        self.works: list[Work] = []

    async def settle(self, work: Work) -> Later:
        work.span = self.tracer.start_span("process orders")
        self.works.append(work)
        return Later(60.0)


def test_an_event_that_waits_as_its_partition_goes_is_left_and_its_span_says_so() -> None:
    loop, pipeline, assignment = VirtualLoop(), Waiting(), Assignment("orders", 0)
    dispatcher = Dispatcher(
        cast("Pipeline", pipeline),
        max_under_way=10,
        clock=loop.time,
        fail=lambda _: None,
        log=cast("FilteringBoundLogger", CapturingLogger()),
        meters=Meters(),
    )
    records = [Record("orders", 0, 0, None, b"{}", (), None)]
    assignment.fetch(records)
    loop.call_soon(dispatcher.accept, [(assignment, records)])
    loop.rest()
    closing = loop.create_task(dispatcher.close([assignment], 0.0))
    loop.rest()
    assert closing.done()
    [span] = [work.span for work in pipeline.works]
    assert isinstance(span, ReadableSpan)
    assert span.end_time is not None
    assert dict(span.attributes or {}) == {ROKT_FATE: "left uncommitted"}
    loop.close()
