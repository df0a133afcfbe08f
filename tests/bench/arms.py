"""What is compared: the worker in the ways it can be run, and what others would write, each under the same load."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

Ledger = Literal["off", "sqlite", "postgres"]
Traces = Literal["off", "1%", "all"]
Rival = Literal["plain", "batches-httpx", "bare", "pyrallel", "faststream"]


@dataclass(frozen=True, slots=True)
class Arm:
    """One thing to be measured: a worker, or a `rival` of it. `milliseconds`: how long Rokt takes to answer.

    `share` is how many of a run's events it is given; what does one at a time would not come to an end else.
    """

    name: str
    in_flight: int = 256
    milliseconds: float = 30.0
    ledger: Ledger = "sqlite"
    traces: Traces = "1%"
    processes: int = 1
    rival: Rival | None = None
    share: float = 1.0

    @property
    def ceiling(self) -> float:
        """Events a second that the time of an answer allows."""
        return self.in_flight / (self.milliseconds / 1000)


SHIPPED: Final = Arm("shipped")
BARE: Final = Arm("bare loop", rival="bare")
ARMS: Final = (
    SHIPPED,
    BARE,
    replace(SHIPPED, name="ledger off", ledger="off"),
    replace(SHIPPED, name="PostgreSQL", ledger="postgres"),
    replace(SHIPPED, name="traces off", traces="off"),
    replace(SHIPPED, name="all traces", traces="all"),
    replace(SHIPPED, name="5 ms", milliseconds=5.0),
    replace(SHIPPED, name="100 ms", milliseconds=100.0),
    replace(SHIPPED, name="16 in flight", in_flight=16, share=0.3),
    replace(SHIPPED, name="64 in flight", in_flight=64),
    replace(SHIPPED, name="1000 in flight", in_flight=1000),
    replace(SHIPPED, name="2 processes", processes=2),
    Arm("one at a time", in_flight=1, rival="plain", share=0.02),
    Arm("httpx batches", in_flight=100, rival="batches-httpx", share=0.4),
    Arm("pyrallel", rival="pyrallel"),
    Arm("faststream", in_flight=64, rival="faststream"),
)
