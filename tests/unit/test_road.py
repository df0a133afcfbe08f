"""One operation's road: who has room, what opens and closes its circuit, which call is poison. Pure."""

from types import SimpleNamespace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from infra.gate_calls import BROKEN, PROBE, TAKEN
from worker.gate.circuit import Closed, Opened, StillOpen
from worker.gate.limit import Limit
from worker.gate.road import SLOW_SECONDS, SLOW_TIMES, Road
from worker.gate.turn import Turn

CEILING = 4
WHY = "Rokt answered 503"


def road() -> Road:
    return Road("confirm", CEILING, PROBE)


def a_limit(mean_seconds: float) -> Limit:
    return cast(Limit, SimpleNamespace(value=CEILING, mean_seconds=mean_seconds))


def sent(on: Road, cart: str, number: int, at: float = 0.0) -> Turn:
    turn = Turn("confirm", cart, number=number, first=number)
    on.goes(turn, at)
    return turn


def failed(on: Road, turn: Turn, at: float = 0.0) -> object:
    turn.answer = BROKEN
    on.ended(turn)
    return on.failed(turn, at, turn.number, WHY)


def answered(on: Road, turn: Turn, at: float = 0.0, *, done: bool = True) -> object:
    turn.answer = TAKEN
    on.ended(turn)
    return on.answered(turn, at, turn.number, done=done)


def opened() -> Road:
    on = road()
    for n in range(5):
        failed(on, sent(on, f"cart-{n}", n + 1))
    assert on.circuit.is_open
    return on


def test_there_is_room_up_to_the_limit_and_again_when_one_has_ended() -> None:
    on = road()
    turns: list[Turn] = []
    while on.has_room(0.0):
        turns.append(sent(on, "cart", len(turns) + 1))
    assert len(turns) == on.limit.value
    answered(on, turns[0])
    assert on.has_room(0.0)


def test_who_takes_the_last_room_is_known_to_have_reached_the_limit() -> None:
    on = road()
    turns = [sent(on, "cart", n + 1) for n in range(on.limit.value)]
    assert [turn.reached for turn in turns] == [False] * (len(turns) - 1) + [True]


def test_a_call_that_takes_longer_than_a_second_gives_its_room_to_others_and_takes_none_when_it_ends() -> None:
    on = road()
    turns = [sent(on, "cart", n + 1) for n in range(on.limit.value)]
    assert not on.has_room(SLOW_SECONDS * 0.9)
    assert on.has_room(SLOW_SECONDS)
    more = [sent(on, "cart", n + 100, SLOW_SECONDS) for n in range(on.limit.value)]
    for turn in turns:
        on.ended(turn)
    assert not on.has_room(SLOW_SECONDS)
    on.ended(more[0])
    assert on.has_room(SLOW_SECONDS)


def test_where_all_calls_take_long_only_one_that_takes_much_longer_is_slow() -> None:
    on = road()
    on.limit = a_limit(mean_seconds=2.0)
    for n in range(on.limit.value):
        sent(on, "cart", n + 1)
    assert not on.has_room(2.0 * SLOW_TIMES - 0.1)
    assert on.has_room(2.0 * SLOW_TIMES)


@given(st.floats(min_value=0.0, max_value=1e6), st.floats(min_value=0.001, max_value=60.0))
def test_when_room_is_made_by_a_slow_call_is_told_exactly(at: float, mean: float) -> None:
    """Else the gate would look again and again at the same moment."""
    on = road()
    on.limit = a_limit(mean)
    for n in range(on.limit.value):
        sent(on, "cart", n + 1, at)
    assert not on.has_room(at)
    room_at = on.room_at
    assert room_at is not None
    assert on.has_room(room_at)


def test_without_anybody_under_way_no_room_is_waited_for() -> None:
    assert road().room_at is None


def test_failures_of_different_carts_in_a_row_open_the_circuit() -> None:
    on = road()
    told = [failed(on, sent(on, f"cart-{n}", n + 1), 7.0) for n in range(5)]
    assert told == [None] * 4 + [Opened("confirm", f"the last 5 calls failed: {WHY}", 1.0)]


def test_an_answer_of_whatever_kind_ends_a_run_of_failures() -> None:
    for done in (True, False):
        on = road()
        for n in range(40):
            failed(on, sent(on, f"cart-{n}", n + 1))
            if n % 4 == 3:
                answered(on, sent(on, f"good-{n}", n + 1), done=done)
        assert not on.circuit.is_open


def test_refusals_for_the_same_excess_of_calls_are_no_failures() -> None:
    on = road()
    for n in range(100):
        turn = sent(on, f"cart-{n}", n + 1)
        turn.news = False
        assert failed(on, turn) is None
        assert (turn.failures, turn.strikes) == (0, 0)


def test_the_circuit_closes_when_its_canary_is_answered_and_only_then() -> None:
    for done in (True, False):
        on = opened()
        assert answered(on, sent(on, "from before", 6), 1.0) is None
        assert on.circuit.is_open
        canary = sent(on, "canary", 7, 1.0)
        on.circuit.set_out(canary)
        assert answered(on, canary, 3.0, done=done) == Closed("confirm", 3.0)


def test_a_canary_that_fails_leaves_it_open_and_one_from_before_that_fails_says_nothing() -> None:
    on = opened()
    assert failed(on, sent(on, "from before", 6)) is None
    canary = sent(on, "canary", 7, 1.0)
    on.circuit.set_out(canary)
    assert failed(on, canary, 1.0) == StillOpen("confirm", WHY, 2, 2.0)


def test_after_an_outage_a_short_run_of_failures_is_enough_to_open_again() -> None:
    on = road()
    for n in range(50):
        answered(on, sent(on, f"cart-{n}", n + 1))
    for n in range(20):
        failed(on, sent(on, f"cart-{n}", n + 100))
    canary = sent(on, "canary", 200)
    on.circuit.set_out(canary)
    answered(on, canary)
    assert not on.circuit.is_open
    for n in range(5):
        failed(on, sent(on, f"cart-{n}", n + 300))
    assert on.circuit.is_open


def test_a_call_that_fails_on_and_on_while_others_succeed_is_poison_after_its_last_attempt() -> None:
    on = road()
    poison = Turn("confirm", "poison", first=1)
    for n in range(8):
        assert not on.is_poison(poison, 8, 0.0)
        answered(on, sent(on, f"good-{n}", 2 * n + 2))
        poison.number = 2 * n + 1
        on.goes(poison, 0.0)
        failed(on, poison)
    assert on.is_poison(poison, 8, 0.0)


def test_failures_between_which_nobody_else_was_taken_are_no_strikes() -> None:
    on = road()
    poison = sent(on, "poison", 1)
    for n in range(10):
        poison.number = n + 1
        failed(on, poison)
    assert (poison.failures, poison.strikes) == (10, 1)
    answered(on, sent(on, "good", 11))
    for n in range(3):
        poison.number = n + 12
        failed(on, poison)
    assert (poison.failures, poison.strikes) == (13, 2)


def test_a_failure_while_others_fail_begins_the_count_again() -> None:
    on = road()
    poison = sent(on, "poison", 1)
    for n in range(7):
        failed(on, poison)
        answered(on, sent(on, f"good-{n}", n + 2))
    assert (poison.failures, poison.strikes) == (7, 7)
    for n in range(4):
        failed(on, sent(on, f"other-{n}", n + 30))
        answered(on, sent(on, f"more-{n}", n + 40))
    failed(on, poison)
    assert (poison.failures, poison.strikes) == (0, 0)


def test_nothing_is_poison_while_the_circuit_is_open() -> None:
    on = opened()
    for n in range(60):
        answered(on, sent(on, f"good-{n}", n + 10))
    turn = sent(on, "cart", 10)
    turn.strikes = turn.failures = 100
    assert not on.is_poison(turn, 8, 0.0)
