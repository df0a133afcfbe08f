"""What the sandbox's state does with each request, without any web."""

from random import Random

import msgspec
import pytest

from worker.sandbox.messages import Cancel, Confirm, Done, Json, Message, Refused, Release, Reserve
from worker.sandbox.reservations import HISTORY_KEPT, Reservation
from worker.sandbox.state import Rokt, Rules


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rokt(clock: Clock) -> Rokt:
    return Rokt(Rules(), clock, Random(1))


def confirm(*reservations: str, cart: str = "c", item: str = "i") -> Confirm:
    items = [{"cartItemId": item, "itemReservationId": id_} for id_ in reservations]
    return msgspec.convert({"cartId": cart, "orderId": "o", "items": items}, Confirm)


def release(*reservations: str, cart: str = "c") -> Release:
    items = [{"cartItemId": "i", "itemReservationId": id_} for id_ in reservations]
    return msgspec.convert({"cartId": cart, "items": items}, Release)


def cancel(reservation: str) -> Cancel:
    return Cancel(item_reservation_id=reservation)


def reserve(rokt: Rokt) -> str:
    request = {"cartId": "c", "items": [{"cartItemId": "i", "quantity": 1}]}
    return str(body(rokt, msgspec.convert(request, Reserve))["items"][0]["itemReservationId"])


def body(rokt: Rokt, message: Message) -> Json:
    result = rokt.handle(message)
    assert isinstance(result, Done)
    assert result.body is not None
    return result.body


def successes(rokt: Rokt, message: Message) -> list[bool]:
    return [item["success"] for item in body(rokt, message)["items"]]


def reservation(rokt: Rokt, id_: str) -> Reservation:
    return rokt.reservations()[id_]


def test_a_reservation_that_is_held_is_confirmed_with_an_id_and_a_url(rokt: Rokt) -> None:
    held = reserve(rokt)
    item = body(rokt, confirm(held))["items"][0]
    assert item["success"] is True
    assert item["itemReservationId"] == held
    assert item["itemConfirmationUrl"].endswith(item["itemConfirmationId"])
    assert reservation(rokt, held).state == "confirmed"
    assert reservation(rokt, held).order_id == "o"


def test_a_reservation_made_elsewhere_is_taken_as_held(rokt: Rokt) -> None:
    assert successes(rokt, confirm("elsewhere")) == [True]


def test_with_strict_reservations_one_made_elsewhere_is_refused_and_nothing_changes(clock: Clock) -> None:
    rokt = Rokt(Rules(strict_reservations=True), clock, Random(1))
    held = reserve(rokt)
    for message in (confirm(held, "elsewhere"), release(held, "elsewhere")):
        result = rokt.handle(message)
        assert isinstance(result, Refused)
        assert result.status == 422
        assert result.value == {"itemReservationId": "elsewhere"}
    assert reservation(rokt, held).state == "held"


def test_a_reservation_expires_after_its_time_and_then_fails_inside_the_answer(rokt: Rokt, clock: Clock) -> None:
    held, kept = reserve(rokt), reserve(rokt)
    clock.now += 899
    assert successes(rokt, confirm(kept)) == [True]
    clock.now += 1
    assert reservation(rokt, held).state == "expired"
    assert successes(rokt, confirm(held)) == [False]
    assert reservation(rokt, kept).state == "confirmed"


def test_released_and_cancelled_reservations_cannot_be_confirmed(rokt: Rokt) -> None:
    body(rokt, release("released"))
    body(rokt, confirm("cancelled"))
    rokt.handle(cancel("cancelled"))
    assert successes(rokt, confirm("released", "cancelled", "fine")) == [False, False, True]


def test_confirming_twice_succeeds_and_is_counted_as_a_double_effect(rokt: Rokt) -> None:
    first, second = body(rokt, confirm("r")), body(rokt, confirm("r"))
    assert first["items"][0]["itemConfirmationId"] != second["items"][0]["itemConfirmationId"]
    assert rokt.summary()["double_effects"] == 1
    assert reservation(rokt, "r").confirms == 2


def test_a_release_of_a_confirmed_item_fails_and_is_counted(rokt: Rokt) -> None:
    body(rokt, confirm("r"))
    assert successes(rokt, release("r")) == [False]
    assert rokt.summary()["release_of_confirmed"] == 1
    assert reservation(rokt, "r").state == "confirmed"


def test_giving_back_twice_changes_nothing_and_is_counted(rokt: Rokt) -> None:
    assert successes(rokt, release("r")) == successes(rokt, release("r")) == [True]
    assert rokt.summary()["repeated_releases"] == 1


def test_only_a_confirmed_reservation_is_cancelled_and_only_once(rokt: Rokt) -> None:
    body(rokt, confirm("r"))
    assert rokt.handle(cancel("r")) == Done(None)
    for id_ in ("r", "unknown", reserve(rokt)):
        result = rokt.handle(cancel(id_))
        assert isinstance(result, Refused)
        assert result.status == 422
    assert (reservation(rokt, "r").cancels, reservation(rokt, "r").refusals) == (1, 1)


def test_an_item_with_only_a_quantity_always_gets_the_same_reservation(rokt: Rokt, clock: Clock) -> None:
    request = msgspec.convert({"cartId": "c", "orderId": "o", "items": [{"cartItemId": "i", "quantity": 1}]}, Confirm)
    made_up = body(rokt, request)["items"][0]["itemReservationId"]
    assert made_up == body(Rokt(Rules(), clock, Random(2)), request)["items"][0]["itemReservationId"]
    assert rokt.handle(cancel(made_up)) == Done(None)


def test_items_with_the_marker_and_items_of_another_cart_fail_inside_the_answer(rokt: Rokt) -> None:
    assert successes(rokt, confirm("r", "fail-2")) == [True, False]
    assert successes(rokt, confirm("s", item="fail-1")) == [False]
    assert successes(rokt, confirm("r", cart="other")) == [False]
    assert rokt.summary()["double_effects"] == 0


def test_an_order_without_items_is_confirmed_and_its_repetition_counted(rokt: Rokt) -> None:
    assert body(rokt, confirm())["items"] == []
    assert rokt.summary()["repeated_empty_confirms"] == 0
    body(rokt, confirm())
    assert rokt.summary()["repeated_empty_confirms"] == 1
    assert rokt.orders()["o"].confirms == 2


def test_a_long_history_is_cut_and_says_so(rokt: Rokt) -> None:
    for _ in range(HISTORY_KEPT + 5):
        body(rokt, confirm("r"))
    kept = reservation(rokt, "r")
    assert (len(kept.history), kept.history_dropped, kept.confirms) == (HISTORY_KEPT, 5, HISTORY_KEPT + 5)


def test_the_same_seed_gives_the_same_ids(clock: Clock) -> None:
    assert len({reserve(Rokt(Rules(), clock, Random(5))) for _ in range(3)}) == 1
