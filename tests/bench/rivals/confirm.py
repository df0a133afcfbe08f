"""The request that every rival makes, whatever the event; the worker's are as long."""

from __future__ import annotations

from typing import Final

PATH: Final = "/v1/cart/confirm"
BODY: Final = (
    b'{"cartId":"cart-000000001","orderId":"order-000000001","items":[{"cartItemId":"item-000000001",'
    b'"itemReservationId":"rokt_item_reservation_id.00000000000000000000000000000001","quantity":1,"unitPrice":19.99,'
    b'"totalPrice":19.99,"currency":"USD"}],"attributes":{"channel":"web"}}'
)
HEADERS: Final = {"content-type": "application/json", "rokt-api-key": "none", "rokt-tag-id": "none"}
