"""Rokt's stand-in from outside: reservations as a shop makes them, the faults, and what it holds at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

import httpx

from worker.demo.evidence import Reservation, RoktCall, read_call, read_reservations
from worker.demo.story import USUAL, Cart

API_KEY: Final = "demo-key"
TAG_ID: Final = "demo-tag"
WORKERS: Final = ("confirm", "cancel", "release")
PAGE: Final = 10_000


class Rokt:
    """A client of the stand-in at `url`. `calls` are those of the worker, as far as they were fetched."""

    def __init__(self, url: str) -> None:
        headers = {"rokt-api-key": API_KEY, "rokt-tag-id": TAG_ID}
        self._http = httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=10.0)
        self._seen = 0
        self.calls: Final[list[RoktCall]] = []
        self.by_operation: Final[dict[str, Counter[str]]] = {operation: Counter() for operation in WORKERS}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._http.close()

    def reserve(self, cart: Cart) -> dict[tuple[str, str], str]:
        """Reserves a cart's items, as the shop does at checkout; ids by (cart, item)."""
        items = [{"cartItemId": item.id, "quantity": item.quantity} for item in cart.items if item.reserved]
        if not items:
            return {}
        headers = {"rokt-session-id": cart.session_id}
        answer = self._http.post("/v1/Cart/reserve", json={"cartId": cart.id, "items": items}, headers=headers)
        answer.raise_for_status()
        return {(cart.id, item["cartItemId"]): item["itemReservationId"] for item in answer.json()["items"]}

    def order_faults(self, outage_after: float, outage_seconds: float) -> None:
        """Slow answers, a few that are lost, a few errors; and an outage. The carts it refuses lose no answer."""
        faults = {
            "latency": {"kind": "lognormal", "seconds": 0.03, "spread": 0.4},
            "errors": {"503": 0.02},
            "errors_after": {"504": 0.02},
            "reset_after": 0.02,
            "only": WORKERS,
            "only_carts": USUAL,
            "outage": {"after": outage_after, "seconds": outage_seconds},
        }
        self._http.put("/sandbox/faults", json=faults).raise_for_status()

    def fetch_calls(self, seen: Callable[[RoktCall], None] = lambda _: None) -> None:
        """Takes the calls that came since the last time; `seen` gets each."""
        while True:
            page = self._get("/sandbox/calls", {"after": self._seen, "limit": PAGE})
            for fields in page["calls"]:
                self._seen = fields["sequence"]
                if fields["operation"] in WORKERS:
                    call = read_call(fields)
                    self.calls.append(call)
                    self.by_operation[call.operation][call.answer] += 1
                    seen(call)
            if self._seen >= page["last"]:
                return

    def holds(self) -> tuple[dict[str, Reservation], dict[str, int], dict[str, int]]:
        """Reservations by id; how often each order was confirmed; and the counts of what must not happen."""
        state = self._get("/sandbox/state", {})
        orders = {id_: order["confirms"] for id_, order in state["orders"].items()}
        twice = {name: count for name, count in state["summary"].items() if name in TWICE}
        return read_reservations(state["reservations"]), orders, twice

    def _get(self, path: str, query: dict[str, int]) -> dict[str, Any]:
        answer = self._http.get(path, params=query)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


TWICE: Final = ("double_effects", "release_of_confirmed", "repeated_releases", "repeated_empty_confirms")
