"""What Rokt would remember: reservations and orders, and what each request does to them. No web in here."""

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random

from msgspec import UNSET

from worker.sandbox.messages import (
    Cancel,
    Confirm,
    Done,
    Json,
    Message,
    Operation,
    Placements,
    Refused,
    Release,
    Reserve,
    ReserveItem,
    reservation_ids,
)
from worker.sandbox.reservations import PREFIX, Order, Reservation, State, reservation_of


@dataclass(frozen=True, slots=True)
class Rules:
    """How the stand-in judges: see `rokt-worker sandbox --help`. An empty marker is in no item, and in no page."""

    reservation_ttl: float = 900.0
    strict_reservations: bool = False
    fail_items: str = "fail-"
    empty_pages: str = "empty-"


class Rokt:
    """The state behind the API. Each method handles one request as a whole, at once.

    `clock` gives epoch seconds; every id is drawn from `random`, so a seed repeats a run.
    """

    def __init__(self, rules: Rules, clock: Callable[[], float], random: Random) -> None:
        self._rules = rules
        self._clock = clock
        self._random = random
        self.clear()

    def clear(self) -> None:
        self._reservations: dict[str, Reservation] = {}
        self._orders: dict[str, Order] = {}
        self._oddities: Counter[str] = Counter()

    def handle(self, message: Message) -> Done | Refused:
        """Applies one valid request. `Refused` is a 422 and has changed nothing."""
        match message:
            case Reserve():
                return self.reserve(message)
            case Confirm():
                return self.confirm(message)
            case Release():
                return self.release(message)
            case Cancel():
                return self.cancel(message)
            case Placements():
                return self.placements(message)

    def reserve(self, request: Reserve) -> Done:
        """Rokt API, POST Reserve Cart Items: every item gets a reservation that expires by itself."""
        return Done({"cartId": request.cart_id, "items": [self._hold(request.cart_id, item) for item in request.items]})

    def confirm(self, request: Confirm) -> Done | Refused:
        """Rokt API, POST Confirm Cart Items: held becomes confirmed; anything else fails inside the 200.

        An item that is confirmed already is confirmed once more, as a new purchase: counted in `double_effects`.
        An item without a reservation gets the id `reservation_of` makes up for it.
        """
        if refused := self._refuse_unknown(reservation_ids(request)):
            return refused
        items = []
        for item in request.items:
            given = item.item_reservation_id
            reservation_id = reservation_of(request.cart_id, item.cart_item_id) if given is UNSET else given
            items.append(self._confirm_item(request, item.cart_item_id, reservation_id))
        self._note_order(request)
        return Done({"cartId": request.cart_id, "orderId": request.order_id, "items": items})

    def release(self, request: Release) -> Done | Refused:
        """Rokt API, POST Release Cart Items: held becomes released; confirmed and cancelled fail inside the 200.

        Giving back what is released or expired already changes nothing and is answered as a success.
        """
        if refused := self._refuse_unknown(reservation_ids(request)):
            return refused
        items = [self._release_item(request.cart_id, i.cart_item_id, i.item_reservation_id) for i in request.items]
        return Done({"cartId": request.cart_id, "items": items})

    def cancel(self, request: Cancel) -> Done | Refused:
        """Rokt API, POST Cancel Confirmed Item: 200 without a body, 422 for what is not confirmed (any more)."""
        reservation = self._current(request.item_reservation_id)
        if reservation is not None and reservation.state is State.CONFIRMED:
            cancels = reservation.cancels + 1
            self._keep(replace(reservation, state=State.CANCELLED, cancels=cancels), Operation.CANCEL, success=True)
            return Done(None)
        if reservation is not None:
            self._keep(reservation, Operation.CANCEL, success=False)
        now = reservation.state if reservation else "not known"
        message = f"Only a confirmed reservation can be cancelled; this one is {now}"
        return Refused(422, "NotConfirmed", message, {"itemReservationId": request.item_reservation_id})

    def placements(self, request: Placements) -> Done:
        """Rokt API, POST Any Placements: there is something to show on every page but those that are marked."""
        page, marker = request.page_identifier, self._rules.empty_pages
        return Done({"result": page is UNSET or not marker or marker not in page})

    def cart_of(self, reservation_id: str) -> str:
        """The cart of a reservation; empty when the reservation is not known."""
        reservation = self._reservations.get(reservation_id)
        return reservation.cart_id if reservation else ""

    def summary(self) -> Json:
        """`reservations` by state, and what a caller that does nothing twice leaves at zero."""
        self._expire_all()
        states = Counter(reservation.state for reservation in self._reservations.values())
        odd = ("double_effects", "release_of_confirmed", "repeated_releases", "repeated_empty_confirms")
        return {"reservations": {str(s): states[s] for s in State}} | {name: self._oddities[name] for name in odd}

    def reservations(self) -> dict[str, Reservation]:
        self._expire_all()
        return dict(self._reservations)

    def orders(self) -> dict[str, Order]:
        return dict(self._orders)

    def _hold(self, cart_id: str, item: ReserveItem) -> Json:
        reservation_id = f"{PREFIX}{self._uuid()}"
        expires_at = self._clock() + self._rules.reservation_ttl
        reservation = Reservation(reservation_id, cart_id, item.cart_item_id, expires_at=expires_at)
        self._keep(reservation, Operation.RESERVE, success=True)
        return {
            "cartItemId": item.cart_item_id,
            "itemReservationId": reservation_id,
            "quantity": item.quantity,
            "unitPrice": 10,
            "totalPrice": 10 * item.quantity,
            "currency": "USD",
            "expirationDateTimeUtc": datetime.fromtimestamp(expires_at, UTC).isoformat().replace("+00:00", "Z"),
        }

    def _confirm_item(self, request: Confirm, cart_item_id: str, reservation_id: str) -> Json:
        found = self._find(request.cart_id, cart_item_id, reservation_id)
        answer = {"cartItemId": cart_item_id, "itemReservationId": reservation_id}
        if found.state not in (State.HELD, State.CONFIRMED) or self._fails(found, request.cart_id, cart_item_id):
            self._keep(found, Operation.CONFIRM, success=False)
            return answer | {"success": False}
        self._oddities["double_effects"] += found.state is State.CONFIRMED
        confirmed = replace(found, state=State.CONFIRMED, order_id=request.order_id, confirms=found.confirms + 1)
        self._keep(confirmed, Operation.CONFIRM, success=True)
        confirmation_id = f"rokt_item_confirmation_id.{self._uuid()}"
        url = f"https://rokt.example/confirmations/{confirmation_id}"
        return answer | {"itemConfirmationId": confirmation_id, "itemConfirmationUrl": url, "success": True}

    def _release_item(self, cart_id: str, cart_item_id: str, reservation_id: str) -> Json:
        found = self._find(cart_id, cart_item_id, reservation_id)
        answer = {"cartItemId": cart_item_id, "itemReservationId": reservation_id}
        self._oddities["release_of_confirmed"] += found.state is State.CONFIRMED
        if found.state in (State.CONFIRMED, State.CANCELLED) or self._fails(found, cart_id, cart_item_id):
            self._keep(found, Operation.RELEASE, success=False)
            return answer | {"success": False}
        self._oddities["repeated_releases"] += found.state is State.RELEASED
        state = State.RELEASED if found.state is State.HELD else found.state
        self._keep(replace(found, state=state, releases=found.releases + 1), Operation.RELEASE, success=True)
        return answer | {"success": True}

    def _note_order(self, request: Confirm) -> None:
        order = self._orders.get(request.order_id, Order(request.cart_id))
        empty = not request.items
        self._oddities["repeated_empty_confirms"] += empty and order.empty_confirms > 0
        self._orders[request.order_id] = replace(
            order, confirms=order.confirms + 1, empty_confirms=order.empty_confirms + empty
        )

    def _fails(self, reservation: Reservation, cart_id: str, cart_item_id: str) -> bool:
        marker = self._rules.fail_items
        marked = bool(marker) and (marker in cart_item_id or marker in reservation.id)
        return marked or reservation.cart_id != cart_id

    def _refuse_unknown(self, named: tuple[str, ...]) -> Refused | None:
        if self._rules.strict_reservations:
            for reservation_id in named:
                if reservation_id not in self._reservations:
                    value = {"itemReservationId": reservation_id}
                    return Refused(422, "UnknownReservation", "No such reservation was made here", value)
        return None

    def _find(self, cart_id: str, cart_item_id: str, reservation_id: str) -> Reservation:
        # Shops reserve elsewhere: a reservation that was not made here is held from its first mention, without end.
        return self._current(reservation_id) or Reservation(reservation_id, cart_id, cart_item_id)

    def _current(self, reservation_id: str) -> Reservation | None:
        reservation = self._reservations.get(reservation_id)
        if reservation is None or reservation.state is not State.HELD or reservation.expires_at is None:
            return reservation
        if reservation.expires_at > self._clock():
            return reservation
        return self._keep(replace(reservation, state=State.EXPIRED), "expire", success=True)

    def _expire_all(self) -> None:
        for reservation_id in tuple(self._reservations):
            self._current(reservation_id)

    def _keep(self, reservation: Reservation, operation: str, *, success: bool) -> Reservation:
        kept = reservation.with_step(self._clock(), operation, success=success)
        self._reservations[kept.id] = kept
        return kept

    def _uuid(self) -> uuid.UUID:
        return uuid.UUID(int=self._random.getrandbits(128), version=4)
