"""Under what conditions one run takes place, drawn from its seed: sizes, speeds, and how much goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from msgspec.structs import replace as changed

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
    "long outage",
    "one endpoint",
    "one cart",
    "wrong address",
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
    "one endpoint",
    "one cart",
    "wrong address",
    "denied",
    "throttled",
    "unreachable",
)
RARE: Mishap = "long outage"
HOURS = 3 * 3600.0
MANY, POISONED, LONG = 0.02, 0.15, 0.04
"""How probable many carts are, a cart that fails for good, and an outage of minutes."""
FEW = 49
"""So few carts that are rejected in a row may be at fault themselves: then only a customer's success tells that."""
REDRIVEN = 0.3
ILL = 0.7
ILLNESSES = (
    Faults(errors={404: 1.0}),
    Faults(errors={410: 0.7}, reset_after=0.3),
    Faults(errors={413: 0.7}, errors_after={500: 0.3}),
    Faults(errors={429: 1.0}),
    Faults(errors={503: 1.0}),
    Faults(errors_after={500: 1.0}),
    Faults(timeout_before=0.5, timeout_after=0.5),
)
PEACEFUL: tuple[Mishap, ...] = ("join", "leave")


@dataclass(frozen=True, slots=True)
class Redrives:
    """Dead letters are redriven, in the storm so many times; what they died of is `mended` at that share of it.

    Until then Rokt judges the `declined` carts wrongly, has an illness with one cart, and fails items whose id has the
    `marker` in it. `seed` is for what the redrivers draw.
    """

    seed: int
    rounds: int
    mended: float
    declined: frozenset[str]
    illness: Faults | None
    marker: str


@dataclass(frozen=True, slots=True)
class Conditions:
    """Sizes in records, times in virtual seconds, shares from 0 to 1.

    `peaceful`: members only come and go, nothing fails and nothing is told twice; so nothing may be repeated either.
    `key_ttl` is how long Rokt remembers an idempotency key, `disk` how long what is written to it takes at most.
    `probe` is the first interval between canaries. `poison` is what befalls one cart, from the beginning to the end;
    `customers`: others go on buying in the calm until all is settled.
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
    max_attempts: int
    rejections: int
    probe: float
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
    poison: Faults | None
    customers: bool
    manners: Manners
    delivery: Delivery
    redrives: Redrives | None = None


def draw(chance: Random) -> Conditions:
    """The conditions of one run: one in five is peaceful, the others are as bad as they may be."""
    peaceful = chance.random() < 0.2
    some = chance.choice
    timeout = some((0.5, 2.0, 5.0))
    carts = chance.randint(60, 120) if chance.random() < MANY else chance.randint(2, 8)
    poison = None if peaceful or chance.random() > POISONED else poisonous(chance, carts)
    rejections = 50 if peaceful or carts > FEW else some((3, 5, 50, 50))
    customers = poison is not None or rejections <= FEW
    roomy = customers or carts > FEW
    drawn = Conditions(
        peaceful=peaceful,
        carts=carts,
        partitions=some((1, 2, 3)),
        workers=some((1, 1, 2, 3)),
        storm=some((5.0, 15.0, 30.0)),
        told_again=0.0 if peaceful else some((0.0, 0.2, 0.5)),
        broken=some((0.0, 0.1, 0.3)),
        poll=some((0.1, 0.25, 0.5)),
        batch=some((1, 3, 20, 500)),
        gap=1_000 if roomy else some((2, 5, 1_000)),
        memory=1_000_000 if roomy else some((10_000, 1_000_000)),
        commit_every=some((0.1, 1.0, 5.0)),
        under_way=1_000 if roomy else some((1, 4, 1_000)),
        concurrency=some((1, 4, 64)),
        max_attempts=some((3, 8)),
        rejections=rejections,
        probe=some((1.0, 2.0)),
        revoke=10.0 if peaceful else some((0.2, 2.0, 10.0)),
        drain=10.0 if peaceful else some((0.2, 2.0, 10.0)),
        timeout=5.0 if peaceful else timeout,
        key_ttl=some((1.0, 30.0, HOURS)) if WITH_LEDGER else HOURS,
        disk=some((0.0, 0.01) if roomy else (0.0, 0.01, 0.3)),
        disk_fails=0.0 if peaceful else some((0.0, 0.0, 0.1)),
        parallel=some((1, 1, 3)),
        group=some((1, 4, 256)),
        cancel_wait=some((0.0, 3.0, 60.0)),
        holes=some((0.0, 0.2)),
        mishaps=_mishaps(chance, peaceful=peaceful),
        network=Network(some((0.02, 0.5, 2.0)), 0.0 if peaceful else some((0.0, 0.1))),
        faults=Faults() if peaceful else _faults(chance),
        poison=poison,
        customers=customers,
        manners=_manners(chance, peaceful=peaceful),
        delivery=Delivery() if peaceful else _delivery(chance),
    )
    return replace(drawn, redrives=_redrives(_apart(chance), carts, peaceful=peaceful))


def _apart(chance: Random) -> Random:
    """A source of its own, which takes nothing from the other."""
    copy = Random()
    copy.setstate(chance.getstate())
    return Random(copy.getrandbits(64) + 1)


def _redrives(chance: Random, carts: int, *, peaceful: bool) -> Redrives | None:
    if chance.random() > REDRIVEN:
        return None
    some, numbers = chance.choice, chance.sample(range(carts), min(carts, 3))
    return Redrives(
        seed=chance.getrandbits(32),
        rounds=chance.randint(1, 5),
        mended=chance.uniform(0.2, 0.9),
        declined=frozenset(f"cart-{number}" for number in numbers[: chance.randint(0, 2)]),
        illness=None
        if peaceful or chance.random() > ILL
        else changed(some(ILLNESSES), only_carts=f"cart-{numbers[-1]}"),
        marker=some(("fail-", "-1", "-0")),
    )


def poisonous(chance: Random, carts: int) -> Faults:
    """One of so many carts always fails, in one way or another."""
    cart = f"cart-{chance.randrange(20, carts) if carts > 20 else chance.randrange(carts)}"
    sorts = (
        Faults(errors={500: 1.0}),
        Faults(errors_after={500: 1.0}),
        Faults(errors={429: 1.0}),
        Faults(errors={503: 0.5}, timeout_before=0.5),
        Faults(reset_after=1.0),
    )
    return changed(chance.choice(sorts), only_carts=cart)


def _mishaps(chance: Random, *, peaceful: bool) -> tuple[Mishap, ...]:
    if peaceful:
        return tuple(chance.choice(PEACEFUL) for _ in range(chance.randint(2, 8)))
    found = [chance.choice(MISHAPS) for _ in range(chance.randint(0, 6))]
    return tuple([*found, RARE] if chance.random() < LONG else found)


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
