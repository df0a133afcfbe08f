"""What is in hand of one record, from being read to being settled."""

from __future__ import annotations

from dataclasses import dataclass, field

from opentelemetry.trace import INVALID_SPAN, Span

from worker.decode.decoder import Decoded, InvalidEvent, Tombstone, Undecodable
from worker.events import Event
from worker.record import Record
from worker.stopping import Stop
from worker.telemetry.tracing import trace_id

READING = "the schema registry"


@dataclass(eq=False, slots=True)
class Work:
    """A record, and who may stop it; its span from when its turn has come. `waits_for` says what it stands at.

    `patient_until` (monotonic seconds) is when a cancel no longer waits for its confirm; `looks` how often it did.
    `settled_before`: nothing was left to be done.
    """

    record: Record
    stop: Stop
    span: Span = INVALID_SPAN
    decoded: Decoded = field(default_factory=Tombstone)
    waits_for: str = READING
    patient_until: float | None = None
    looks: int = 0
    settled_before: bool = False

    @property
    def event(self) -> Event | None:
        """The event in it, if there is one."""
        return None if isinstance(self.decoded, Tombstone | Undecodable | InvalidEvent) else self.decoded

    @property
    def cart_id(self) -> str | None:
        """Its event's cart, if it names one."""
        return self.event.cart_id if self.event is not None else None

    @property
    def trace_id(self) -> str | None:
        """Its trace, 32 hex digits."""
        return trace_id(self.span)

    @property
    def place(self) -> dict[str, str | int]:
        """Where it was read, for the log."""
        return {"topic": self.record.topic, "partition": self.record.partition, "offset": self.record.offset}
