"""What a replay waits for at a moment, in words: the first thing of those that hold it up altogether. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from worker.gate.gate import GateState
from worker.stalls import Stall

BEHIND_OTHERS_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a process of a replay stands.

    `stretches` are those that it works on; `behind_others_seconds`: for so long all slots of the fleet's budget went to
    others; `stalls` are the partitions that have waited for one event for long, `short` those of which all is settled
    that their log holds, each with where that ends, before the planned end.
    """

    gate: GateState
    ledger_down: bool
    brokers_down: bool
    joined: bool
    stretches: int
    behind_others_seconds: float
    stalls: Sequence[Stall]
    short: Sequence[tuple[str, int]]


def waits_for(standing: Standing) -> str:
    """Empty: for nothing."""
    gate = standing.gate
    if standing.ledger_down:
        return "the ledger's database"
    if standing.brokers_down:
        return "the brokers"
    if not standing.joined:
        return "its partitions: its group forms"
    if not standing.stretches:
        return "the other processes of this replay, which have what is left"
    if said := _rokt(gate):
        return said
    if any(gate.waiting.values()) and standing.behind_others_seconds >= BEHIND_OTHERS_SECONDS:
        return "live traffic, which goes first on the budget of calls"
    for stall in standing.stalls:
        return f"{stall.waits_for} ({stall.topic}/{stall.partition}, offset {stall.offset})"
    for place, end in standing.short:
        return f"records of {place}, whose log ends at {end}: a transaction is open, or it was cut short since the plan"
    return ""


def _rokt(gate: GateState) -> str:
    for open_ in gate.circuits:
        if open_.circuit == "credentials":
            return f"credentials that Rokt takes ({open_.why})"
        return f"Rokt ({open_.circuit}: {open_.why})"
    if gate.held_back_seconds > 0:
        return f"Rokt, which asked every caller to wait for {gate.held_back_seconds:.0f} s more"
    return ""
