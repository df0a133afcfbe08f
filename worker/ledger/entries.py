"""What stands in the ledger of a call, what is asked of it, and what it answers: values. Pure.

Times are the database's, in milliseconds since 1970. No price and no data of a customer stands here; a request's body
is kept as a hash, to tell whether the same key comes with another body. What Rokt said to a call that it refused is
kept as it came until its dead letter is written (`Entry.death`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from msgspec import Struct

from worker import keys
from worker.keys import Operation
from worker.mapping import Call, CallItem
from worker.rokt.answers import ItemAnswer
from worker.telemetry.names import Status
from worker.verdict import Death, Settled


class Origin(Struct, frozen=True):
    """The event that asks for a call: its id and time, where it was read, its trace and span (32 and 16 hex digits)."""

    event_id: str
    occurred_at_ms: int
    topic: str
    partition: int
    offset: int
    trace_id: str | None
    span_id: str | None = None


class Entry(Struct, frozen=True):
    """One call, by its idempotency key. Without a `status` it is not settled.

    `owner` has begun it, by its `token`th question; once settled, `owner` has settled it. None: it was given back.
    `maybe_sent`: an attempt before this owner's may have reached Rokt; of one that was given up, any. `death` is kept
    until it is `published`. `redo` counts how often it was begun again after it was rejected; `items` are then those
    that were taken before, until it is settled again.
    """

    key: str
    operation: Operation
    cart_id: str | None
    order_id: str | None
    fingerprint: bytes
    origin: Origin
    owner: str | None
    token: int
    begun_at_ms: int
    maybe_sent: bool = False
    attempts: int = 0
    status: Status | None = None
    http_status: int | None = None
    items: tuple[ItemAnswer, ...] = ()
    death: Death | None = None
    settled_at_ms: int | None = None
    published: bool = False
    redo: int = 0

    @property
    def sent_key(self) -> str:
        """The key that Rokt knows it by."""
        return keys.again(self.key, self.redo)

    @property
    def sent_keys(self) -> tuple[str, ...]:
        """All that Rokt has known it by, the first one first."""
        return tuple(keys.again(self.key, times) for times in range(self.redo + 1))


class Redo(Struct, frozen=True):
    """Begin again what was rejected or given up: if it was last sent under this key; None: whatever that was."""

    key: str | None = None


REDONE: Final[frozenset[Status]] = frozenset({"rejected", "partial", "dead"})
"""What can be begun again. A call that succeeded, or was superseded, never is."""


class Ask(Struct, frozen=True):
    """May this call be made? If so, it is the asker's from now on. `token` is new for each question of an owner.

    `redo`: also if it was rejected or given up before.
    """

    call: Call
    origin: Origin
    owner: str
    token: int
    redo: Redo | None = None


class CallOff(Struct, frozen=True):
    """What does this cancel ask for? `items` empty: the whole order. `waited`: its confirm has had its time to come."""

    order_id: str
    items: tuple[CallItem, ...]
    waited: bool


class Settle(Struct, frozen=True):
    """A call that was begun by `asked` is settled; `redo` as in the `Send` that was answered."""

    asked: Ask
    settled: Settled
    redo: int = 0


class GiveBack(Struct, frozen=True):
    """A call that was begun by `asked` is not made now. `attempts` and `maybe_sent` count what was before, too.

    If it is settled, its outcome is not written now: another may, while this worker lives on.
    """

    asked: Ask
    attempts: int
    maybe_sent: bool


class Published(Struct, frozen=True):
    """The outcome of a settled call, and its dead letter, are written and acknowledged.

    `settled_at_ms` is of that outcome, where another may have taken the call over, published it, and begun and settled
    it again since. None: it is still the writer's own.
    """

    key: str
    settled_at_ms: int | None = None


Request = Ask | CallOff | Settle | GiveBack | Published


@dataclass(frozen=True, slots=True)
class Send:
    """Yours to make, about these items. `attempts` were made before; `maybe_sent`: one may have reached Rokt.

    `redo` says under which key: `keys.again`. `before`: the event for which it was begun before, for traces.
    """

    items: tuple[CallItem, ...]
    attempts: int
    maybe_sent: bool
    redo: int = 0
    before: Origin | None = field(default=None, compare=False)


class Wait(Struct, frozen=True):
    """Not now; ask again a little later. `what` is waited for, in words."""

    what: str


class Done(Struct, frozen=True):
    """It is settled; `entry.published` says whether its outcome still is to be written. `why` it was not sent, if so.

    `other_body`: the same key came with another body than the one that was settled.
    """

    entry: Entry
    why: str = ""
    other_body: bool = False


class Disputed(Struct, frozen=True):
    """It was begun with another body, and what became of that is not known: this one must not be sent."""

    entry: Entry


Answer = Send | Wait | Done | Disputed


class Before(NamedTuple):
    """A call that is settled and published: the hash of its body, and what became of it."""

    fingerprint: bytes
    status: Status


class Touched(Struct, frozen=True):
    """The ids of what a group of requests reads or writes, each sorted: stores lock in this order."""

    orders: tuple[str, ...]
    reservations: tuple[str, ...]
    keys: tuple[str, ...]


def touched(requests: Iterable[Request]) -> Touched:
    """What these requests need on their page."""
    orders: set[str | None] = set()
    reservations: set[str | None] = set()
    keys: set[str] = set()
    for request in requests:
        if isinstance(request, Published):
            keys.add(request.key)
            continue
        if isinstance(request, CallOff):
            orders.add(request.order_id)
            items = request.items
        else:
            call = request.call if isinstance(request, Ask) else request.asked.call
            keys.add(call.key)
            orders.add(call.order_id)
            items = call.items
        for item in items:
            reservations.add(item.item_reservation_id)
        if isinstance(request, Settle):
            for answered in request.settled.items:
                reservations.add(answered.item_reservation_id)
    return Touched(_sorted(orders), _sorted(reservations), _sorted(keys))


def apart(requests: Sequence[Request]) -> tuple[list[str], Touched | None]:
    """The calls that only have to be marked as published, which needs no look at them, and what the others need.

    None: there are no others.
    """
    marked: set[str] = set()
    others: list[Request] = []
    for request in requests:
        if isinstance(request, Published) and request.settled_at_ms is None:
            marked.add(request.key)
        else:
            others.append(request)
    if not others:
        return sorted(marked), None
    need = touched(others)
    return sorted(marked.difference(need.keys)), need


def _sorted(ids: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted(id_ for id_ in ids if id_))
