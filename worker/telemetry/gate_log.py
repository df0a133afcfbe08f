"""What the gate tells goes into the log: each circuit that opens and closes, and what Rokt asks of every caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from structlog.typing import FilteringBoundLogger

from worker.gate.circuit import Closed, HeldBack, Notice, Opened, Paced, StillOpen
from worker.telemetry import names

OUTAGE: Final = "waiting: nothing is given up, one call at a time is tried"
MENDS: Final = {
    "credentials": "check WORKER_ROKT__API_KEY, WORKER_ROKT__TAG_ID; one call at a time is tried, none is given up",
    "rejections": "check WORKER_ROKT__BASE_URL, the paths and WORKER_ROKT__TAG_ID; one call at a time is tried",
}


def teller(log: FilteringBoundLogger) -> Callable[[Notice], None]:
    """What the gate is to be given as `notify`."""

    def tell(notice: Notice) -> None:
        match notice:
            case Opened("credentials", why, seconds):
                log.error(names.LOG_DENIED, why=why, tries=1, next_try_seconds=seconds, mend=MENDS["credentials"])
            case StillOpen("credentials", why, tries, seconds):
                log.error(names.LOG_DENIED, why=why, tries=tries, next_try_seconds=seconds, mend=MENDS["credentials"])
            case Closed("credentials", seconds):
                log.warning(names.LOG_ACCEPTED_AGAIN, refused_seconds=round(seconds, 3))
            case Opened(circuit, why, seconds):
                mend = MENDS.get(circuit, OUTAGE)
                log.error(names.LOG_CIRCUIT_OPENED, circuit=circuit, why=why, next_try_seconds=seconds, mend=mend)
            case StillOpen(circuit, why, tries, seconds):
                level = log.warning if tries & (tries - 1) == 0 else log.info
                level(names.LOG_CIRCUIT_PROBE, circuit=circuit, why=why, tries=tries, next_try_seconds=seconds)
            case Closed(circuit, seconds):
                log.warning(names.LOG_CIRCUIT_CLOSED, circuit=circuit, open_seconds=round(seconds, 3))
            case HeldBack(seconds):
                log.warning(names.LOG_HELD_BACK, seconds=round(seconds, 3), why="Rokt asked every caller to wait")
            case Paced(per_second):
                log.warning(names.LOG_PACED, calls_per_second=None if per_second is None else round(per_second, 2))

    return tell
