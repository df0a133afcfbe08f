"""Under what conditions one run takes place, drawn from its seed: sizes, speeds, and how much goes wrong."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from simulation.committing import Manners
from simulation.publisher import Delivery
from simulation.rokt import Network
from worker.sandbox.faults import Faults

WITH_LEDGER = True
"""Whether the path has a ledger. With one, Rokt may forget keys within the run, and more is checked of it."""

Mishap = Literal[
    "crash",
    "crash at a step",
    "join",
    "leave",
    "cut off",
    "brokers away",
    "outage",
    "denied",
    "throttled",
    "unreachable",
]
MISHAPS: tuple[Mishap, ...] = (
    "crash",
    "crash at a step",
    "crash at a step",
    "join",
    "leave",
    "cut off",
    "brokers away",
    "outage",
    "denied",
    "throttled",
    "unreachable",
)
HOURS = 3 * 3600.0
PEACEFUL: tuple[Mishap, ...] = ("join", "leave")


@dataclass(frozen=True, slots=True)
class Conditions:
    """Sizes in records, times in virtual seconds, shares from 0 to 1.

    `peaceful`: members only come and go, nothing fails and nothing is told twice; so nothing may be repeated either.
    `key_ttl` is how long Rokt remembers an idempotency key, `disk` how long what is written to it takes at most.
    """

    peaceful: bool
    carts: int
    partitions: int
    workers: int
    storm: float
    told_again: float
    broken: float
    poll: float
    batch: int
    gap: int
    memory: int
    commit_every: float
    under_way: int
    concurrency: int
    revoke: float
    drain: float
    timeout: float
    key_ttl: float
    disk: float
    disk_fails: float
    parallel: int
    group: int
    cancel_wait: float
    holes: float
    mishaps: tuple[Mishap, ...]
    network: Network
    faults: Faults
    manners: Manners
    delivery: Delivery


def draw(chance: Random) -> Conditions:
    """The conditions of one run: one in five is peaceful, the others are as bad as they may be."""
    peaceful = chance.random() < 0.2
    some = chance.choice
    mishaps = PEACEFUL if peaceful else MISHAPS
    timeout = some((0.5, 2.0, 5.0))
    return Conditions(
        peaceful=peaceful,
        carts=chance.randint(2, 8),
        partitions=some((1, 2, 3)),
        workers=some((1, 1, 2, 3)),
        storm=some((5.0, 15.0, 30.0)),
        told_again=0.0 if peaceful else some((0.0, 0.2, 0.5)),
        broken=some((0.0, 0.1, 0.3)),
        poll=some((0.1, 0.25, 0.5)),
        batch=some((1, 3, 20, 500)),
        gap=some((2, 5, 1_000)),
        memory=some((10_000, 1_000_000)),
        commit_every=some((0.1, 1.0, 5.0)),
        under_way=some((1, 4, 1_000)),
        concurrency=some((1, 4, 64)),
        revoke=10.0 if peaceful else some((0.2, 2.0, 10.0)),
        drain=10.0 if peaceful else some((0.2, 2.0, 10.0)),
        timeout=5.0 if peaceful else timeout,
        key_ttl=some((1.0, 30.0, HOURS)) if WITH_LEDGER else HOURS,
        disk=some((0.0, 0.01, 0.3)),
        disk_fails=0.0 if peaceful else some((0.0, 0.0, 0.1)),
        parallel=some((1, 1, 3)),
        group=some((1, 4, 256)),
        cancel_wait=some((0.0, 3.0, 60.0)),
        holes=some((0.0, 0.2)),
        mishaps=tuple(some(mishaps) for _ in range(chance.randint(2, 8) if peaceful else chance.randint(0, 6))),
        network=Network(some((0.02, 0.5, 2.0)), 0.0 if peaceful else some((0.0, 0.1))),
        faults=Faults() if peaceful else _faults(chance),
        manners=_manners(chance, peaceful=peaceful),
        delivery=Delivery() if peaceful else _delivery(chance),
    )


def _faults(chance: Random) -> Faults:
    some = chance.choice
    return Faults(
        errors={503: some((0.0, 0.1)), 429: some((0.0, 0.05)), 500: some((0.0, 0.1))},
        errors_after={500: some((0.0, 0.1)), 504: some((0.0, 0.1))},
        retry_after=some((None, 1, 3)),
        reset_before=some((0.0, 0.05)),
        reset_after=some((0.0, 0.15)),
        timeout_before=some((0.0, 0.05)),
        timeout_after=some((0.0, 0.1)),
    )


def _manners(chance: Random, *, peaceful: bool) -> Manners:
    some = chance.choice
    if peaceful:
        return Manners(round_trip=some((0.01, 0.2, 0.5)))
    return Manners(
        round_trip=some((0.01, 0.2, 1.0)),
        session=some((3.0, 10.0)),
        commit_fails=some((0.0, 0.1)),
        commit_answer_lost=some((0.0, 0.1)),
        asking_fails=some((0.0, 0.2)),
    )


def _delivery(chance: Random) -> Delivery:
    some = chance.choice
    return Delivery(
        round_trip=some((0.01, 0.3)),
        give_up=some((1.0, 5.0)),
        fails=some((0.0, 0.1, 0.4)),
        report_lost=some((0.0, 0.1)),
    )
