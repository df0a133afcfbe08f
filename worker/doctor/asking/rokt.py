"""Rokt, by `Placements/any`: the one call that tries the credentials and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from opentelemetry.trace import INVALID_SPAN, NoOpTracer

from worker import parts
from worker.doctor.finding import Finding
from worker.doctor.judging.clocks import Heard, judge_clock
from worker.doctor.judging.rokt import judge_placements
from worker.rokt.access import Timeouts
from worker.rokt.exchange import Request, Response, Transport
from worker.rokt.placements import PlacementsRequest
from worker.settings import Settings
from worker.telemetry.tracing import Tracing

CLOCK: Final = "rokt's clock"
QUESTION: Final = PlacementsRequest(cart_id="rokt-worker-doctor", page_identifier="rokt-worker-doctor")
GRAIN_SECONDS: Final = 1.0


class Dated:
    """Notes the `Date` of the answers that pass through; else see `Transport`."""

    def __init__(self, beneath: Transport, now: Callable[[], float]) -> None:
        self._beneath = beneath
        self._now = now
        self.heard: Heard | None = None

    async def exchange(self, request: Request, limits: Timeouts) -> Response:
        """See `Transport.exchange`."""
        asked = self._now()
        response = await self._beneath.exchange(request, limits)
        told = _seconds(response.header(b"date"))
        self.heard = None if told is None else Heard(asked, told, self._now(), GRAIN_SECONDS)
        return response

    async def close(self) -> None:
        """See `Transport.close`."""
        await self._beneath.close()


async def ask_rokt(settings: Settings, now: Callable[[], float]) -> list[Finding]:
    """Whether Rokt takes these credentials, and what time it is there. Raises SettingsError."""
    transport = Dated(parts.transport(settings.rokt), now)
    tracing = Tracing(NoOpTracer(), group=settings.kafka.group_id, link_producer=False)
    client = parts.client(settings, tracing, lambda: datetime.fromtimestamp(now(), UTC), transport)
    try:
        came, _ = await client.placements(QUESTION, INVALID_SPAN)
    finally:
        await client.close()
    findings = [judge_placements(came.answer, settings.rokt.base_url)]
    if transport.heard is not None:
        findings.append(judge_clock(CLOCK, "Rokt's clock", transport.heard))
    return findings


def _seconds(date: str | None) -> float | None:
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
