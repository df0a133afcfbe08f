"""The gauges: each an instrument and how it is read off the worker's state. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, get_args

from worker.gate.circuit import CircuitName
from worker.keys import Operation
from worker.state import PartitionState, State
from worker.telemetry import instruments
from worker.telemetry.instruments import Instrument
from worker.telemetry.meters import Labels
from worker.unready import each_reason

Values = Iterable[tuple[Labels, float]]
Gauge = tuple[Instrument, Callable[[State], Values]]

CIRCUITS: Final[tuple[CircuitName, ...]] = (*get_args(Operation), "credentials", "rejections")


def _each(look: Callable[[PartitionState], float | None]) -> Callable[[State], Values]:
    def values(state: State) -> Values:
        for p in state.partitions:
            if (value := look(p)) is not None:
                yield (p.topic, str(p.partition)), value

    return values


def _by_topic(look: Callable[[PartitionState], int]) -> Callable[[State], Values]:
    def values(state: State) -> Values:
        counts: Counter[str] = Counter()
        for p in state.partitions:
            counts[p.topic] += look(p)
        return [((topic,), count) for topic, count in counts.items()]

    return values


def _one(look: Callable[[State], float | None]) -> Callable[[State], Values]:
    def values(state: State) -> Values:
        value = look(state)
        return [] if value is None else [((), value)]

    return values


def _paused(state: State) -> Values:
    return [((p.topic, str(p.partition), reason), 1) for p in state.partitions for reason in sorted(p.paused_for)]


def _open(state: State) -> Values:
    is_open = {circuit.circuit for circuit in state.gate.circuits}
    return [((name,), int(name in is_open)) for name in CIRCUITS]


def _open_seconds(state: State) -> Values:
    seconds = {circuit.circuit: circuit.seconds for circuit in state.gate.circuits}
    return [((name,), seconds.get(name, 0.0)) for name in CIRCUITS]


def _unready(state: State) -> Values:
    return [((name,), int(holds)) for name, holds in each_reason(state).items()]


GAUGES: Final[tuple[Gauge, ...]] = (
    (instruments.IN_HAND, _by_topic(lambda p: p.in_hand)),
    (instruments.UNDER_WAY, _one(lambda state: state.under_way)),
    (instruments.LANES, _one(lambda state: state.lanes)),
    (instruments.ASSIGNED, _by_topic(lambda _: 1)),
    (instruments.LAG, _each(lambda p: p.lag)),
    (instruments.GAP, _each(lambda p: p.gap)),
    (instruments.OLDEST, _each(lambda p: p.oldest_seconds or 0.0)),
    (instruments.BLOCKED, _each(lambda p: p.blocked_seconds)),
    (instruments.PAUSED, _paused),
    (instruments.RETENTION_LEFT, _one(lambda state: state.retention_left_seconds)),
    (instruments.CALLS_WAITING, lambda state: [((name,), count) for name, count in state.gate.waiting.items()]),
    (instruments.CALLS_UNDER_WAY, _one(lambda state: state.gate.under_way)),
    (instruments.LIMIT, lambda state: [((name,), limit) for name, limit in state.gate.limits.items()]),
    (instruments.HELD_BACK, _one(lambda state: state.gate.held_back_seconds)),
    (instruments.PACE, _one(lambda state: state.gate.calls_per_second)),
    (instruments.CIRCUIT_OPEN, _open),
    (instruments.CIRCUIT_SECONDS, _open_seconds),
    (instruments.IDLE, _one(lambda state: state.idle_seconds)),
    (instruments.UNREADY, _unready),
)
