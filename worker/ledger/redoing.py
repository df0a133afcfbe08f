"""The rules by which a call that was rejected or given up is begun again (contract, section 3, rule 1). Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from worker.carts import Names
from worker.ledger.entries import REDONE, Ask, Entry
from worker.mapping import CallItem
from worker.rokt.answers import ItemAnswer
from worker.telemetry.names import Status
from worker.verdict import Settled


def asked_again(ask: Ask, entry: Entry) -> bool:
    """Whether a settled call is to be begun again: one that succeeded, or was superseded, never is."""
    return ask.redo is not None and entry.status in REDONE and ask.redo.key in (None, entry.sent_key)


def reopened(entry: Entry) -> Entry:
    """As if it were not settled: after a rejection, which changed nothing, as another call; else as the same."""
    taken = tuple(item for item in entry.items if item.success)
    opened = replace(entry, owner=None, status=None, http_status=None, items=taken, settled_at_ms=None, published=False)
    return opened if entry.status == "dead" else replace(opened, redo=entry.redo + 1, attempts=0, maybe_sent=False)


def too_late(asked: Ask, settled: Settled, redo: int, entry: Entry) -> bool:
    """Whether this is of an earlier call, begun again since under another key; or given up by who lost it."""
    elsewhere = entry.owner is not None and (entry.owner, entry.token) != (asked.owner, asked.token)
    return redo != entry.redo or (settled.status == "dead" and elsewhere)


def left(items: tuple[CallItem, ...], entry: Entry | None) -> tuple[CallItem, ...]:
    """Without those that were taken before."""
    if entry is None or not entry.items:
        return items
    taken = Names(map(ids_of, entry.items))
    return tuple(item for item in items if item not in taken)


def altogether(status: Status, taken: Sequence[ItemAnswer]) -> Status:
    """What became of a call of which some items may have been taken before."""
    return "partial" if status == "rejected" and taken else status


def ids_of(item: ItemAnswer) -> CallItem:
    """The item that an answer is about."""
    return CallItem(item.cart_item_id, item.item_reservation_id)
