"""Idempotency keys: the same call has the same key, everywhere and for ever; any other call has another.

Pure. Rokt's documents ask for a UUID of version 4, so the first 16 bytes of a SHA-256 are dressed as one (RFC 9562,
section 5.4). What is hashed is what the call means to the shop, never where or when its event was read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Literal
from uuid import UUID

Operation = Literal["confirm", "cancel", "release"]
Ids = tuple[str | None, ...]

_DOMAIN = "rokt-worker/1"


def confirm_key(cart_id: str, order_id: str, items: Iterable[Ids]) -> str:
    """Key of a confirm: the cart, the order and the set of (cartItemId, itemReservationId), in any order."""
    return _key("confirm", [cart_id, order_id], items)


def release_key(cart_id: str, items: Iterable[Ids]) -> str:
    """Key of a release: the cart and the set of (cartItemId, itemReservationId), in any order."""
    return _key("release", [cart_id], items)


def cancel_key(order_id: str, item_reservation_id: str) -> str:
    """Key of a cancel: the order and the one reservation; the cart is left out because an event need not name it."""
    return _key("cancel", [order_id], [(item_reservation_id,)])


def _key(operation: Operation, scope: list[str], items: Iterable[Ids]) -> str:
    named = sorted({tuple(part or "" for part in item) for item in items})
    meaning = json.dumps([_DOMAIN, operation, scope, named], ensure_ascii=False, separators=(",", ":"))
    return str(UUID(bytes=hashlib.sha256(meaning.encode()).digest()[:16], version=4))
