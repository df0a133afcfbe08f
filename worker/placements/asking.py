"""One call, with the worker's own settings, as a trace of its own."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from opentelemetry.trace import INVALID_SPAN, Tracer

from worker import parts
from worker.placements.question import Question, Reply
from worker.settings import Settings
from worker.telemetry.tracing import Tracing, trace_id


async def asked(question: Question, settings: Settings, tracer: Tracer) -> Reply:
    """Asks once, within the time of an attempt. Raises SettingsError."""
    tracing = Tracing(tracer, group=settings.kafka.group_id, link_producer=False)
    client = parts.client(settings, tracing, lambda: datetime.now(UTC))
    begun = time.monotonic()
    try:
        came, span = await client.placements(question.request, INVALID_SPAN, question.session_id, question.locale)
        return Reply(came, time.monotonic() - begun, trace_id(span))
    finally:
        await client.close()
