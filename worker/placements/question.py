"""What is asked, and what came of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from worker.rokt.placements import Placements, PlacementsRequest


@dataclass(frozen=True, slots=True)
class Question:
    """The body is `request`; session and locale go as headers."""

    request: PlacementsRequest = field(repr=False)
    session_id: str | None = field(repr=False)
    locale: str | None

    @property
    def personal(self) -> Iterator[str]:
        """What is for Rokt alone, and may be quoted by it."""
        yield from self.request.attributes.values()
        yield self.session_id or ""
        yield self.request.url or ""


@dataclass(frozen=True, slots=True)
class Reply:
    """`seconds`: from asking for a connection to the last byte. `trace_id` is the trace that the call was sent with."""

    came: Placements
    seconds: float
    trace_id: str | None
