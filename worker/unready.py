"""Why a worker is not ready. An outage of Rokt is no reason: taking the worker away would mend nothing. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from worker.state import State

_HOLDS: Final[Mapping[str, tuple[str, Callable[[State], bool]]]] = {
    "joining": ("has not joined the group yet", lambda state: not state.joined),
    "brokers": ("no broker answers", lambda state: state.brokers_down),
    "credentials": (
        "Rokt refuses the credentials",
        lambda state: any(circuit.circuit == "credentials" for circuit in state.gate.circuits),
    ),
    "ledger": ("the ledger's database does not do what it is asked", lambda state: state.ledger_down),
    "stopping": ("is stopping", lambda state: state.stopping),
}
REASONS: Final = tuple(_HOLDS)


def unready(state: State) -> list[str]:
    """The reasons, in words; empty when it is ready."""
    return [words for words, holds in _HOLDS.values() if holds(state)]


def each_reason(state: State) -> dict[str, bool]:
    """Each reason by its name, and whether it holds."""
    return {name: holds(state) for name, (_, holds) in _HOLDS.items()}
