"""A circuit: open, one canary at a time at growing intervals, each time another call; closed by one that is taken."""

import pytest

from infra.gate_calls import PROBE
from worker.gate.circuit import Circuit, Closed, Opened, StillOpen
from worker.gate.turn import Turn

WHY = "Rokt answered 503"


def opened(at: float = 100.0) -> Circuit:
    circuit = Circuit("confirm", PROBE)
    circuit.open(WHY, at)
    return circuit


def turns(count: int) -> list[Turn]:
    return [Turn("confirm", f"cart-{n}") for n in range(count)]


def test_it_is_closed_at_first() -> None:
    circuit = Circuit("confirm", PROBE)
    assert not circuit.is_open
    assert not circuit.stops_reading


def test_it_opens_with_a_reason_and_the_first_canary_waits_a_second() -> None:
    circuit = Circuit("confirm", PROBE)
    assert circuit.open(WHY, 100.0) == Opened("confirm", WHY, 1.0)
    assert (circuit.is_open, circuit.why, circuit.since, circuit.next_try_at) == (True, WHY, 100.0, 101.0)


def test_canaries_that_fail_come_at_growing_intervals_up_to_the_longest() -> None:
    circuit, now, intervals = opened(), 101.0, []
    for tries in range(2, 8):
        (turn,) = turns(1)
        circuit.set_out(turn)
        told = circuit.came_back(turn, now, f"failure {tries}")
        assert told == StillOpen("confirm", f"failure {tries}", tries, circuit.next_try_at - now)
        intervals.append(circuit.next_try_at - now)
        now = circuit.next_try_at
    assert intervals == [2.0, 4.0, 5.0, 5.0, 5.0, 5.0]


def test_a_canary_that_is_taken_closes_it_and_says_for_how_long_it_was_open() -> None:
    circuit = opened(100.0)
    circuit.set_out(turns(1)[0])
    assert circuit.close(160.0) == Closed("confirm", 60.0)
    assert not circuit.is_open
    assert circuit.canary is None


def test_another_call_than_the_canary_that_comes_back_says_nothing() -> None:
    circuit = opened()
    canary, other = turns(2)
    circuit.set_out(canary)
    assert circuit.came_back(other, 105.0, WHY) is None
    assert circuit.canary is canary
    assert circuit.next_try_at == 101.0


def test_a_canary_that_was_not_made_leaves_its_place_to_the_next_at_once() -> None:
    circuit = opened()
    (canary,) = turns(1)
    circuit.set_out(canary)
    assert circuit.came_back(canary, 105.0, None) is None
    assert circuit.canary is None
    assert circuit.next_try_at == 101.0


def test_each_canary_is_a_call_that_was_none_yet_while_there_is_one() -> None:
    circuit, waiting = opened(), turns(4)
    chosen = []
    for _ in range(4):
        turn = circuit.choose(waiting)
        assert turn is not None
        circuit.set_out(turn)
        circuit.came_back(turn, 101.0, WHY)
        waiting.remove(turn)
        waiting.append(turn)
        chosen.append(turn.cart)
    assert chosen == ["cart-0", "cart-1", "cart-2", "cart-3"]


def test_where_all_were_canaries_the_one_that_waits_longest_goes_again() -> None:
    circuit, waiting = opened(), turns(3)
    for turn in waiting:
        circuit.set_out(turn)
    assert circuit.choose(waiting) is waiting[0]
    assert circuit.choose([*waiting[1:], waiting[0]]) is waiting[1]


def test_where_nobody_waits_there_is_no_canary() -> None:
    assert opened().choose([]) is None


def test_when_it_opens_anew_everybody_may_be_a_canary_again() -> None:
    circuit, waiting = opened(), turns(3)
    for turn in waiting[:2]:
        circuit.set_out(turn)
    assert circuit.choose(waiting) is waiting[2]
    circuit.close(110.0)
    circuit.open(WHY, 120.0)
    assert circuit.choose(waiting) is waiting[0]


@pytest.mark.parametrize(("tried", "stops"), [(0, True), (1, True), (2, False)])
def test_no_more_is_read_while_a_call_waits_that_was_no_canary_yet(tried: int, stops: bool) -> None:
    circuit, waiting = opened(), turns(2)
    for turn in waiting[:tried]:
        circuit.set_out(turn)
        circuit.came_back(turn, 101.0, WHY)
    circuit.look(waiting)
    assert circuit.stops_reading is stops


def test_a_closed_circuit_never_keeps_events_from_being_read() -> None:
    circuit = opened()
    circuit.look(turns(1))
    assert circuit.stops_reading
    circuit.close(110.0)
    assert not circuit.stops_reading


def test_when_something_has_changed_the_next_canary_goes_at_once_and_the_intervals_begin_anew() -> None:
    circuit = opened()
    for _ in range(5):
        (turn,) = turns(1)
        circuit.set_out(turn)
        circuit.came_back(turn, 101.0, WHY)
    circuit.try_at_once(102.0)
    assert circuit.next_try_at == 102.0
    (turn,) = turns(1)
    circuit.set_out(turn)
    circuit.came_back(turn, 102.0, WHY)
    assert circuit.next_try_at == 104.0


def test_a_canary_that_is_due_already_is_not_put_off_by_a_change() -> None:
    circuit = opened(100.0)
    circuit.try_at_once(500.0)
    assert circuit.next_try_at == 101.0
