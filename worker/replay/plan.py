"""What a replay is about: which offsets of which partitions, and what of them. Fixed once, before it begins. Pure.

A plan is kept as text, in the ledger's database: who resumes a replay, or shares it, reads what was planned first.
Times are milliseconds since 1970.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from worker.errors import CannotReplay
from worker.events import CartAbandoned, Event, instant, rfc3339

VERSION: Final = 1
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DIGEST: Final = 8
ANOTHER: Final = "say --name with another name, to begin a replay of its own"

Partition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for. `until_ms` None: up to what was there when it was planned.

    Empty `topics`, `partitions`: all of them; a partition of the topic "" is that of every topic. Empty `carts` and
    `orders`: every event, else those of any of these. `again`: rejected and given-up calls are made again, too.
    """

    since_ms: int
    until_ms: int | None = None
    topics: frozenset[str] = frozenset()
    partitions: frozenset[tuple[str, int]] = frozenset()
    carts: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()
    again: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """The offsets of one partition from `start` up to, and without, `end`."""

    topic: str
    partition: int
    start: int
    end: int

    @property
    def offsets(self) -> int:
        """How many; there may be fewer records."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Cut:
    """A partition whose log begins after the time that was asked for: what came before `offset` is deleted.

    `first_ms` is the time of the first record that is left; None when none is.
    """

    topic: str
    partition: int
    offset: int
    first_ms: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A replay's stretches, of which none is empty, sorted by topic and partition; and what of it is gone already."""

    name: str
    wanted: Wanted
    made_at_ms: int
    stretches: tuple[Stretch, ...]
    cuts: tuple[Cut, ...] = ()

    @property
    def carts(self) -> frozenset[str]:
        """See `Wanted`."""
        return self.wanted.carts

    @property
    def orders(self) -> frozenset[str]:
        """See `Wanted`."""
        return self.wanted.orders

    @property
    def again(self) -> bool:
        """See `Wanted`."""
        return self.wanted.again

    @property
    def topics(self) -> tuple[str, ...]:
        """Those of the stretches, sorted."""
        return tuple(sorted({stretch.topic for stretch in self.stretches}))

    @property
    def offsets(self) -> int:
        """How many there are in all stretches; there may be fewer records."""
        return sum(stretch.offsets for stretch in self.stretches)


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    plan: Plan


class _Version(msgspec.Struct):
    version: int


def to_text(plan: Plan) -> str:
    """The plan as it is kept; the same plan is the same text."""
    return msgspec.json.encode(_Kept(VERSION, plan), order="deterministic").decode()


def from_text(text: str) -> Plan:
    """A plan that was kept. Raises CannotReplay for one of a later version."""
    try:
        version = msgspec.json.decode(text, type=_Version).version
        if version == VERSION:
            return msgspec.json.decode(text, type=_Kept).plan
    except msgspec.MsgspecError as error:
        raise CannotReplay(f"the plan that is kept of this replay cannot be read: {error}", ANOTHER) from None
    raise CannotReplay(
        f"this replay was planned by another version of this worker (its plans are of version {version}, "
        f"this one's of {VERSION})",
        f"go on with the version that planned it, or {ANOTHER}",
    )


def derived_name(wanted: Wanted) -> str:
    """The name of a replay that was given none: that of the same replay asked for again, anywhere."""
    meaning = msgspec.json.encode(wanted, order="deterministic")
    begins = re.sub(r"[-:]|\.\d*", "", rfc3339(instant(wanted.since_ms)))
    return f"{begins}-{hashlib.sha256(meaning).hexdigest()[:DIGEST]}"


def differences(wanted: Wanted, planned: Wanted) -> list[str]:
    """The options by which what is asked for differs from what was planned."""
    return [
        option
        for option, asked, before in (
            ("--since", wanted.since_ms, planned.since_ms),
            ("--until", wanted.until_ms, planned.until_ms),
            ("--topic", wanted.topics, planned.topics),
            ("--partition", wanted.partitions, planned.partitions),
            ("--cart", wanted.carts, planned.carts),
            ("--order", wanted.orders, planned.orders),
            ("--again", wanted.again, planned.again),
        )
        if asked != before
    ]


def concerns(wanted: Wanted, event: Event) -> bool:
    """Whether an event is one of the carts and orders that were asked for."""
    if not (wanted.carts or wanted.orders):
        return True
    order = None if isinstance(event, CartAbandoned) else event.order_id
    return event.cart_id in wanted.carts or order in wanted.orders


def described(wanted: Wanted) -> Sequence[tuple[str, str]]:
    """What was asked for, in words: what it is, and its value; without what was left open."""
    until = "what was there when it was planned" if wanted.until_ms is None else moment(wanted.until_ms)
    partitions = (f"{topic}/{n}" if topic else str(n) for topic, n in wanted.partitions)
    lists = (("topics", wanted.topics), ("partitions", partitions), ("carts", wanted.carts), ("orders", wanted.orders))
    found = [("since", moment(wanted.since_ms)), ("until", until)]
    found += [(name, ", ".join(each)) for name, values in lists if (each := sorted(values))]
    return [*found, ("again", "rejected and given-up calls are made again")] if wanted.again else found


def moment(ms: int) -> str:
    """A time as RFC 3339 text."""
    return rfc3339(instant(ms))
