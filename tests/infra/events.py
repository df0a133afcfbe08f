"""Events as a shop would publish them, as JSON."""

from __future__ import annotations

import json
import uuid
from typing import Any

SESSION = "ca75f48-ebbd-4d8e-83c3-fdd70893294d"


def completed(cart: str, *, items: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "eventId": str(uuid.uuid4()),
        "eventType": "CheckoutCompleted",
        "occurredAt": "2026-11-20T10:00:00Z",
        "cartId": cart,
        "orderId": f"order-{cart}",
        "roktSessionId": SESSION,
        "items": [
            {
                "cartItemId": f"{cart}-item-{n}",
                "itemReservationId": reservation(cart, n),
                "quantity": 1,
                "unitPrice": "19.99",
                "totalPrice": 19.99,
                "currency": "USD",
            }
            for n in range(items)
        ],
    } | more


def cancelled(cart: str, *, items: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "eventId": str(uuid.uuid4()),
        "eventType": "OrderCancelled",
        "occurredAt": "2026-11-20T11:00:00Z",
        "orderId": f"order-{cart}",
        "cartId": cart,
        "items": [{"cartItemId": f"{cart}-item-{n}", "itemReservationId": reservation(cart, n)} for n in range(items)],
    } | more


def abandoned(cart: str, *, items: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "eventId": str(uuid.uuid4()),
        "eventType": "CartAbandoned",
        "occurredAt": "2026-11-20T12:00:00Z",
        "cartId": cart,
        "roktSessionId": SESSION,
        "items": [{"cartItemId": f"{cart}-item-{n}", "itemReservationId": reservation(cart, n)} for n in range(items)],
    } | more


def reservation(cart: str, n: int = 0) -> str:
    return f"{cart}-reservation-{n}"


def encoded(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()
