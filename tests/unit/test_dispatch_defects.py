"""A defect stops what it struck and what is behind that, is counted and logged, and commits nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
from structlog.testing import CapturingLogger
from structlog.typing import FilteringBoundLogger

from faults.fakes import Defect, FakePipeline, VirtualLoop
from worker.decode.decoder import Decoded
from worker.dispatch import Dispatcher
from worker.pipeline import Pipeline
from worker.record import Record
from worker.stalls import stalled
from worker.stream.assignment import Assignment
from worker.telemetry.meters import Count, Meters
from worker.work import Work


class Broken(FakePipeline):
    """Meets a defect before the carts of what is read are known."""

    def __init__(self, where: str) -> None:
        super().__init__(lambda _: None)
        self._where = where

    async def decode(self, work: Work) -> Decoded:
        if self._where == "decode":
            raise Defect
        return await super().decode(work)

    async def settled_before(self, works: Sequence[Work]) -> set[int]:
        raise Defect


@pytest.mark.parametrize("where", ["decode", "settled before"])
def test_a_defect_before_the_cart_is_known_stops_the_partition_and_is_told(where: str) -> None:
    loop, logger, meters, failures = VirtualLoop(), CapturingLogger(), Meters(), list[Exception]()
    dispatcher = Dispatcher(
        cast("Pipeline", Broken(where)),
        max_under_way=10,
        clock=loop.time,
        fail=failures.append,
        log=cast("FilteringBoundLogger", logger),
        meters=meters,
        repeating=where != "decode",
    )
    assignment = Assignment("orders", 0)
    records = [Record("orders", 0, offset, None, b"{}", (), None) for offset in range(3)]
    assignment.fetch(records)
    loop.call_soon(dispatcher.accept, [(assignment, records)])
    loop.rest()
    struck = 1 if where == "decode" else 3
    assert [call.args for call in logger.calls] == [("event.held",)] * struck
    assert meters.held.read() == [Count(("orders",), struck)]
    assert assignment.defective
    assert assignment.committable is None
    assert stalled([assignment], 0.0, clock=loop.time())
    assert failures == []
    loop.close()
