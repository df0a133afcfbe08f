"""How a worker stands at one moment: what probes, metrics and the log are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worker.dispatch import Stall
from worker.gate.gate import GateState


@dataclass(frozen=True, slots=True)
class State:
    """The worker at one moment. `idle_seconds` is since the consumer's thread last turned.

    `retention_left_seconds`: until the oldest unprocessed record may be deleted, None where it is not known, or nothing
    waits; `records_lost`: deleted before they were read, since the start. Neither changes whether it is ready.
    """

    idle_seconds: float
    joined: bool
    brokers_down: bool
    gate: GateState
    ledger_down: bool
    stopping: bool
    partitions: int
    stalls: Sequence[Stall]
    retention_left_seconds: float | None
    records_lost: int
