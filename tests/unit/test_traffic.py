"""What one answer means for the calls after it, of which operation, and for the call itself. Pure."""

import pytest

from infra.gate_calls import BROKEN, CONFLICT, DENIED, REFUSED, TAKEN, THROTTLED, rules
from worker.gate.circuit import Circuit, Closed, Notice, Opened, StillOpen
from worker.gate.traffic import Traffic
from worker.gate.turn import URGENCY, Turn
from worker.keys import Operation
from worker.rokt.answers import Answer
from worker.verdict import NOTHING_SPECIAL, Standing


class Told:
    """Answers that are heard one after another; each attempt sets out when the one before was heard."""

    def __init__(self, rejections: int = 3) -> None:
        self.traffic = Traffic(rules(rejections=rejections, attempts=3))
        self.admitted = 0

    def hears(
        self, turn: Turn, answer: Answer | None, at: float = 0.0, *, canary_of: Circuit | None = None
    ) -> list[Notice]:
        self.admitted += 1
        turn.number = self.admitted
        turn.first = turn.first or turn.number
        turn.answer, turn.standing = answer, NOTHING_SPECIAL
        if canary_of is not None:
            canary_of.set_out(turn)
        return list(self.traffic.hear(turn, at, self.admitted))

    def opens(self, *operations: Operation) -> None:
        for operation in operations:
            for n in range(5):
                self.hears(Turn(operation, f"{operation}-{n}"), BROKEN)

    def rejects_all(self) -> None:
        for n in range(3):
            self.traffic.settled(Turn("confirm", f"rejected-{n}"), 0.0, rejected=True)

    @property
    def is_open(self) -> list[str]:
        return [circuit.name for circuit in self.traffic.open_circuits]


def turn(operation: Operation = "confirm", cart: str = "cart") -> Turn:
    return Turn(operation, cart)


def test_an_operation_waits_for_its_own_circuit_and_no_other_does() -> None:
    told = Told()
    told.opens("cancel")
    shut = {operation: told.traffic.shut_for(operation) for operation in URGENCY}
    assert [operation for operation, circuit in shut.items() if circuit is not None] == ["cancel"]


def test_refused_credentials_come_before_rejections_and_these_before_an_outage() -> None:
    told = Told()
    told.opens("confirm")
    told.rejects_all()
    told.hears(turn(), DENIED)
    assert told.is_open == ["credentials", "rejections", "confirm"]
    traffic = told.traffic
    for circuit in (traffic.credentials.circuit, traffic.rejected, traffic.roads["confirm"].circuit):
        assert traffic.shut_for("confirm") is circuit
        circuit.close(1.0)


def test_refusals_and_rejections_hold_for_every_operation() -> None:
    told = Told()
    told.rejects_all()
    assert {told.traffic.shut_for(operation) for operation in URGENCY} == {told.traffic.rejected}


def test_when_the_credentials_are_taken_the_other_circuits_are_tried_at_once() -> None:
    told = Told()
    told.opens("cancel", "release")
    told.hears(turn(), DENIED)
    told.hears(turn(), TAKEN, 0.5, canary_of=told.traffic.credentials.circuit)
    assert told.is_open == ["cancel", "release"]
    assert [told.traffic.roads[operation].circuit.next_try_at for operation in ("cancel", "release")] == [0.5, 0.5]


@pytest.mark.parametrize("answer", [TAKEN, REFUSED, CONFLICT])
def test_any_answer_but_a_denial_closes_the_credentials_circuit(answer: Answer) -> None:
    told = Told()
    told.hears(turn(), DENIED)
    assert told.hears(turn(), answer, 2.0, canary_of=told.traffic.credentials.circuit) == [Closed("credentials", 2.0)]


@pytest.mark.parametrize("answer", [None, TAKEN, DENIED, BROKEN, THROTTLED, REFUSED, CONFLICT])
@pytest.mark.parametrize("which", range(3))
def test_whatever_a_canary_hears_no_circuit_keeps_it(answer: Answer | None, which: int) -> None:
    told = Told()
    told.opens("confirm")
    told.rejects_all()
    told.hears(turn(), DENIED)
    circuit = told.traffic.open_circuits[which]
    told.hears(turn(), answer, 5.0, canary_of=circuit)
    assert circuit.canary is None


def test_an_accepted_canary_of_rejections_closes_them_at_once_even_if_it_is_never_settled() -> None:
    told = Told()
    told.rejects_all()
    canary = turn()
    assert told.hears(canary, TAKEN, 4.0, canary_of=told.traffic.rejected) == [Closed("rejections", 4.0)]
    assert told.traffic.settled(canary, 4.0, rejected=False) is None


def test_a_duplicate_closes_rejections_when_it_is_settled() -> None:
    told = Told()
    told.rejects_all()
    canary = turn()
    told.hears(canary, CONFLICT, 4.0, canary_of=told.traffic.rejected)
    assert told.traffic.settled(canary, 4.0, rejected=False) == Closed("rejections", 4.0)


def test_rejections_open_at_the_last_of_different_carts_and_those_who_come_later_are_held() -> None:
    told = Told(rejections=3)
    traffic = told.traffic
    held = turn()
    told.hears(held, REFUSED)
    assert held.standing == NOTHING_SPECIAL
    notices = [traffic.settled(Turn("confirm", f"cart-{n}"), 1.0, rejected=True) for n in range(3)]
    assert notices[:2] == [None, None]
    assert notices[2] == Opened("rejections", "the last 3 calls, each of another cart, were all rejected", 1.0)
    for answer in (REFUSED, CONFLICT):
        told.hears(held, answer)
        assert held.standing == Standing(all_rejected=True)
    told.hears(held, TAKEN)
    assert held.standing == NOTHING_SPECIAL


def test_an_outage_while_all_is_rejected_is_told_and_the_rejections_stay() -> None:
    told = Told()
    told.rejects_all()
    why = told.traffic.rejected.why
    heard = told.hears(turn(), BROKEN, 1.0, canary_of=told.traffic.rejected)
    assert heard == [StillOpen("rejections", why or "", 2, 2.0)]


def test_a_refusal_of_the_credentials_says_nothing_of_an_outage() -> None:
    told = Told()
    told.opens("confirm")
    circuit = told.traffic.roads["confirm"].circuit
    assert told.hears(turn(), DENIED, 1.0, canary_of=circuit) == [Opened("credentials", "Rokt answered 401", 1.0)]
    assert (circuit.is_open, circuit.next_try_at) == (True, 1.0)


def test_a_call_that_fails_while_others_succeed_is_poison_at_its_last_attempt() -> None:
    told, poison = Told(), turn(cart="poison")
    standings = []
    for n in range(3):
        told.hears(turn(cart=f"good-{n}"), TAKEN)
        told.hears(poison, BROKEN)
        standings.append(poison.standing.poison)
        told.hears(turn(cart=f"good-{n}"), TAKEN)
    assert standings == [False, False, True]


def test_a_refusal_that_is_one_of_many_for_the_same_excess_is_nobodys_last_attempt() -> None:
    told, throttled = Told(), turn(cart="throttled")
    for n in range(2):
        told.hears(throttled, THROTTLED)
        told.hears(turn(cart=f"good-{n}"), TAKEN)
    throttled.strikes = 3
    throttled.news = False
    told.hears(throttled, THROTTLED)
    assert not throttled.standing.poison
    throttled.news = True
    told.hears(throttled, THROTTLED)
    assert throttled.standing.poison


def test_who_waits_is_counted_and_ordered_by_urgency() -> None:
    told = Told()
    turns = [turn(operation, f"{operation}-{n}") for n in range(2) for operation in reversed(URGENCY)]
    for one in turns:
        told.traffic.roads[one.operation].waiting[one] = None
    assert told.traffic.waiting == 6
    assert [one.operation for one in told.traffic.everybody()] == [one for one in URGENCY for _ in range(2)]


@pytest.mark.parametrize(
    ("admitted", "now", "first"), [(10, 29.0, "confirm"), (10, 30.0, "release"), (11, 30.0, "confirm")]
)
def test_every_so_many_calls_the_least_urgent_go_first_where_they_have_waited_long(
    admitted: int, now: float, first: str
) -> None:
    told = Told()
    for operation in ("confirm", "release"):
        told.traffic.roads[operation].waiting[turn(operation)] = None
    assert told.traffic.in_turn(admitted, now)[0].operation == first


def test_events_are_not_read_for_an_operation_whose_circuit_is_open_and_none_for_what_holds_for_all() -> None:
    told = Told()
    told.opens("cancel")
    for operation in URGENCY:
        waits = turn(operation)
        told.traffic.roads[operation].waiting[waits] = None
    told.traffic.look()
    assert [told.traffic.stops_reading(operation) for operation in URGENCY] == [frozenset(), {"cancel"}, frozenset()]
    assert told.traffic.stops_reading(None) == frozenset()
    told.hears(turn(), DENIED)
    told.traffic.look()
    assert told.traffic.stops_reading(None) == told.traffic.stops_reading("confirm") == {"credentials"}
    assert told.traffic.stops_reading("cancel") == {"credentials", "cancel"}
