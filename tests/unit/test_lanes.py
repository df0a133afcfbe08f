"""Events of one cart or order go one at a time and in order; all others side by side."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from worker.events import AbandonedItem, CancelledItem, CartAbandoned, CheckoutCompleted, Event, OrderCancelled
from worker.lanes import Key, Lanes, Place, lane_keys

ITEM = (AbandonedItem("i", "r"),)
NAMES = st.sampled_from("abc")
EVENTS = st.one_of(
    st.builds(CheckoutCompleted, st.just("e"), st.just(0), NAMES, NAMES.map("order-{}".format)),
    st.builds(
        lambda order, cart: OrderCancelled("e", 0, order, (CancelledItem("i"),), cart),
        NAMES.map("order-{}".format),
        st.none() | NAMES,
    ),
    st.builds(CartAbandoned, st.just("e"), st.just(0), NAMES, st.just(ITEM)),
)


@given(st.lists(EVENTS, max_size=30), st.randoms(use_true_random=False))
def test_no_event_overtakes_another_of_its_cart_or_order_and_none_is_forgotten(
    events: list[Event], random: object
) -> None:
    lanes: Lanes[int] = Lanes()
    running: dict[int, Place[int]] = {}
    begun: dict[Key, list[int]] = defaultdict(list)
    waiting = list(range(len(events)))

    def begin(place: Place[int]) -> None:
        busy = {key for other in running.values() for key in other.keys}
        assert not busy & set(place.keys)
        running[place.work] = place
        for key in place.keys:
            begun[key].append(place.work)

    while waiting or running:
        if waiting and (not running or random.random() < 0.5):  # type: ignore[attr-defined]
            number = waiting.pop(0)
            place = lanes.join(number, lane_keys(events[number]))
            if place.ahead == 0:
                begin(place)
        else:
            ended = running.pop(random.choice(sorted(running)))  # type: ignore[attr-defined]
            for ready in lanes.leave(ended):
                begin(ready)

    for key, order in begun.items():
        assert order == [n for n, event in enumerate(events) if key in lane_keys(event)]
    assert sorted({n for order in begun.values() for n in order}) == list(range(len(events)))
    assert len(lanes) == 0


def test_other_carts_are_not_waited_for() -> None:
    lanes: Lanes[str] = Lanes()
    assert lanes.join("one", (("cart", "a"),)).ahead == 0
    assert lanes.join("two", (("cart", "b"),)).ahead == 0
    assert lanes.join("three", (("cart", "a"),)).ahead == 1


def test_a_cancel_without_a_cart_waits_for_its_orders_checkout() -> None:
    lanes: Lanes[str] = Lanes()
    bought = lanes.join("bought", lane_keys(CheckoutCompleted("e", 0, "a", "order-a")))
    off = lanes.join("off", lane_keys(OrderCancelled("e", 0, "order-a", (CancelledItem("i"),))))
    assert off.ahead == 1
    assert lanes.leave(bought) == [off]


def test_what_has_no_key_waits_for_nobody() -> None:
    lanes: Lanes[str] = Lanes()
    assert lanes.join("one", ()).ahead == lanes.join("two", ()).ahead == 0


def test_a_cart_and_an_order_of_the_same_name_are_two() -> None:
    lanes: Lanes[str] = Lanes()
    lanes.join("one", (("cart", "x"),))
    assert lanes.join("two", (("order", "x"),)).ahead == 0
