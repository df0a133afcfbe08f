"""What is in hand of one record, from being read to being settled."""

from __future__ import annotations

from typing import Final, Literal, get_args

from msgspec import Struct, field
from opentelemetry.trace import INVALID_SPAN, Span

from worker.decode.decoder import Decoded, InvalidEvent, Tombstone, Undecodable
from worker.events import CartAbandoned, CheckoutCompleted, Event, OrderCancelled
from worker.ledger.entries import Entry, Redo
from worker.record import Headers, Record
from worker.stopping import Stop
from worker.telemetry.names import Cause
from worker.telemetry.tracing import trace_id
from worker.verdict import Death

READING = "the schema registry"
Ids = tuple[str | None, str | None]

Fate = Literal["skipped", "settled before", "superseded", "succeeded", "dead-lettered"]
FATES: Final[tuple[Fate, ...]] = get_args(Fate)
"""The later ones weigh more: an event of which one call succeeded and another has a dead letter is dead-lettered."""


_NOTHING: Final = Tombstone()
_NO_EVENT: Final = (Tombstone, Undecodable, InvalidEvent)


class Work(Struct, eq=False):
    """A record, and who may stop it; its span from when its turn has come. `waits_for` says what it stands at.

    `read_at` (monotonic seconds) is when it was taken in hand, `queued_for` why its turn did not come at once;
    `settled` and `deaths` are what became of its calls, `why` it asked for none. `asked_at` is when a cancel was first
    looked at, `patient_until` when it no longer waits for its confirm; `looks` how often it did.
    `fate` is the weightiest of what became of its calls so far. `redo`: what was rejected or given up is begun again;
    `redrives` counts how often its dead letter was, `failing` is the trace context of the attempt that failed last.
    `calls` counts those that were settled here for it.
    """

    record: Record
    stop: Stop
    span: Span = INVALID_SPAN
    decoded: Decoded = _NOTHING
    read_at: float = 0.0
    waits_for: str = READING
    queued_for: Cause = "turn"
    asked_at: float = 0.0
    patient_until: float | None = None
    looks: int = 0
    fate: Fate = "skipped"
    redo: Redo | None = None
    redrives: int = 0
    failing: Headers = ()
    calls: int = 0
    settled: list[Entry] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)
    why: str = ""

    def came(self, fate: Fate) -> None:
        """Something became of it, or of one of its calls."""
        if FATES.index(fate) > FATES.index(self.fate):
            self.fate = fate

    @property
    def event(self) -> Event | None:
        """The event in it, if there is one."""
        return None if isinstance(self.decoded, _NO_EVENT) else self.decoded

    @property
    def ids(self) -> Ids:
        """Its event's cart and order, as far as it names them."""
        match self.decoded:
            case CheckoutCompleted() | OrderCancelled() as event:
                return event.cart_id, event.order_id
            case CartAbandoned() as event:
                return event.cart_id, None
            case _:
                return None, None

    @property
    def cart_id(self) -> str | None:
        """Its event's cart, if it names one."""
        return self.ids[0]

    @property
    def trace_id(self) -> str | None:
        """Its trace, 32 hex digits."""
        return trace_id(self.span)

    @property
    def place(self) -> dict[str, str | int]:
        """Where it was read, for the log."""
        return {"topic": self.record.topic, "partition": self.record.partition, "offset": self.record.offset}
