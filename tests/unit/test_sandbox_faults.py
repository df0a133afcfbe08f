"""Which fault a call meets, and what may be ordered."""

from collections import Counter
from random import Random

import msgspec
import pytest

from worker.sandbox.faults import (
    Fault,
    Faults,
    FaultsInForce,
    HangAfter,
    HangBefore,
    Latency,
    Pass,
    ResetAfter,
    ResetBefore,
    Status,
    decide,
    parse_faults,
)
from worker.sandbox.messages import Operation


def draw(faults: Faults, operation: Operation = Operation.CONFIRM, cart: str = "c", elapsed: float = 0.0) -> Fault:
    return decide(faults, operation, cart, Random(1), elapsed)


def test_without_faults_every_call_passes() -> None:
    assert draw(Faults()) == Pass()


@pytest.mark.parametrize(
    ("ordered", "met"),
    [
        (Faults(reset_before=1), ResetBefore()),
        (Faults(reset_after=1), ResetAfter()),
        (Faults(timeout_before=1), HangBefore()),
        (Faults(timeout_after=1), HangAfter()),
        (Faults(errors={500: 1}, retry_after=3), Status(500)),
        (Faults(errors={429: 1}, retry_after=3), Status(429, 3)),
        (Faults(errors_after={504: 1}), Status(504, None, applied=True)),
    ],
)
def test_a_certain_fault_is_met(ordered: Faults, met: Fault) -> None:
    assert draw(ordered) == met


def test_faults_come_as_often_as_ordered_and_one_at_a_time() -> None:
    random, faults = Random(7), Faults(errors={503: 0.2, 429: 0.1}, reset_after=0.1, timeout_before=0.05)
    met = Counter(decide(faults, Operation.CONFIRM, "c", random, 0.0) for _ in range(20_000))
    for fault, share in ((Status(503), 0.2), (Status(429), 0.1), (ResetAfter(), 0.1), (HangBefore(), 0.05)):
        assert met[fault] / 20_000 == pytest.approx(share, abs=0.01)
    assert met[Pass()] / 20_000 == pytest.approx(0.55, abs=0.02)


def test_an_outage_answers_503_to_everything_and_ends_by_itself() -> None:
    faults = parse_faults(b'{"outage": [{"after": 10, "seconds": 5}], "only": ["cancel"], "retry_after": 2}')
    assert [draw(faults, elapsed=at) for at in (9.9, 10, 14.9, 15)] == [Pass(), Status(503, 2), Status(503, 2), Pass()]


def test_an_outage_without_an_end_goes_on_until_it_is_called_off() -> None:
    assert draw(parse_faults(b'{"outage": true}'), elapsed=1e9) == Status(503)
    assert draw(parse_faults(b'{"outage": false}')) == Pass()
    assert draw(parse_faults(b'{"outage": {"seconds": 1}}'), elapsed=1) == Pass()


def test_faults_can_be_kept_to_some_operations_and_some_carts() -> None:
    faults = Faults(reset_before=1, only=(Operation.CANCEL,), only_carts="sick")
    assert draw(faults, Operation.CANCEL, "cart-sick-1") == ResetBefore()
    assert draw(faults, Operation.CONFIRM, "cart-sick-1") == Pass()
    assert draw(faults, Operation.CANCEL, "cart-well-1") == Pass()


def test_calls_beyond_those_taken_in_any_second_are_throttled() -> None:
    now = [0.0]
    in_force = FaultsInForce(Faults(calls_per_second=2), lambda: now[0])

    def met(at: float) -> Fault:
        now[0] = at
        return in_force.decide(Operation.CONFIRM, "c", Random(1))

    assert [met(at) for at in (0.0, 0.9, 0.95)] == [Pass(), Pass(), Status(429, 1)]
    assert [met(at) for at in (1.0, 1.1, 1.95)] == [Pass(), Status(429, 1), Pass()], "one refused takes no room"
    in_force.order(Faults(calls_per_second=1, retry_after=7))
    assert [met(2.0), met(2.0)] == [Pass(), Status(429, 7)]
    in_force.order(Faults())
    assert {met(2.0) for _ in range(100)} == {Pass()}


@pytest.mark.parametrize("kind", ["fixed", "uniform", "exponential", "lognormal"])
def test_latencies_centre_on_their_seconds_and_are_never_negative(kind: str) -> None:
    latency = msgspec.convert({"kind": kind, "seconds": 0.5, "spread": 0.8}, Latency)
    random = Random(3)
    drawn = sorted(latency.draw(random) for _ in range(10_001))
    assert drawn[0] >= 0
    middle = {"fixed": 0.5, "uniform": 0.5, "exponential": 0.3466, "lognormal": 0.5}[kind]
    assert drawn[5_000] == pytest.approx(middle, rel=0.1)
    assert Latency(kind=latency.kind).draw(random) == 0


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (b'{"error": {}}', "unknown field `error`"),
        (b'{"errors": {"200": 0.1}}', ">= 400"),
        (b'{"errors": {"503": 1.1}}', "<= 1"),
        (b'{"errors": {"503": 0.6}, "reset_after": 0.6}', "add up to more than 1"),
        (b'{"latency": {"kind": "slow"}}', "latency.kind"),
        (b'{"latency": {"kind": "lognormal", "spread": 1000}}', "at most 10"),
        (b'{"calls_per_second": 0}', "calls_per_second"),
        (b'{"only": ["buy"]}', "only"),
        (b'{"outage": 3}', "outage"),
        (b"[]", "Expected `object`"),
        (b"{", "truncated"),
    ],
)
def test_a_wrong_order_is_refused_with_what_is_wrong(given: bytes, complaint: str) -> None:
    with pytest.raises(msgspec.DecodeError, match=complaint.replace("[", r"\[")):
        parse_faults(given)


def test_what_is_in_force_can_be_ordered_again() -> None:
    faults = parse_faults(b'{"errors": {"503": 0.1}, "outage": {"seconds": 4}, "only": ["confirm"]}')
    assert parse_faults(msgspec.json.encode(faults)) == faults
