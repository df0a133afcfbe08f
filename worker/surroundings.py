"""What every step is surrounded by: chance, time, traces, meters and the log, passed in and never fetched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from structlog.typing import FilteringBoundLogger

from worker.retry import Backoff, Chance
from worker.telemetry.meters import Meters
from worker.telemetry.recent import Recently, recently
from worker.telemetry.tracing import Tracing


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`backoff` spaces what is tried again, by `chance`; `clock` is monotonic seconds, `now` the wall clock in UTC."""

    tracing: Tracing
    backoff: Backoff
    chance: Chance
    clock: Callable[[], float]
    now: Callable[[], datetime]
    log: FilteringBoundLogger
    meters: Meters = field(default_factory=Meters)
    recent: Recently = field(default_factory=recently)

    def wait(self, tries: int) -> float:
        """Seconds to wait after so many tries."""
        return self.backoff.delay(tries, self.chance)
