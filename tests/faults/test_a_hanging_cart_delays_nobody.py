"""One cart's call hangs for a minute: the calls of all other carts take as long as they do without it."""

from __future__ import annotations

import json
import time

import pytest

from faults.load import LONG, Event, Fleet, percentile, stream
from infra.brokers import Broker
from infra.rokt import Rokt
from infra.worker import until

CARTS = 10_000 if LONG else 600
A_SECOND = 300 if LONG else 200
HANG_SECONDS = 60.0
# Generous: both halves share the machine with a broker, a Rokt and everybody else.
RATIO, FLOOR_SECONDS = 3.0, 0.5

pytestmark = pytest.mark.timeout(400 if LONG else 120)


def test_while_one_call_hangs_the_others_take_no_longer(kafka: Broker, fleet: Fleet, rokt: Rokt) -> None:
    rokt.faults(latency={"kind": "fixed", "seconds": 0.03}, timeout_before=1.0, hang_seconds=60, only_carts="hanging")
    patient = {"WORKER_ROKT__TIMEOUT_SECONDS": "90", "WORKER_ROKT__READ_TIMEOUT_SECONDS": "90"}
    fleet.start(**patient, WORKER_LEDGER__LEASE_SECONDS="135")
    assert until(lambda: fleet.said("kafka.assigned"))
    stream(kafka, fleet.completed, [Event(f"warm-{n}", 0) for n in range(A_SECOND)], A_SECOND)
    stream(kafka, fleet.completed, [Event(f"without-{n}", 0) for n in range(CARTS)], A_SECOND)
    assert until(lambda: fleet.lag() == 0)

    stream(kafka, fleet.completed, [Event("hanging", 0)], A_SECOND)
    assert until(lambda: rokt.calls()[-1]["cart_id"] == "hanging")
    hangs_since = time.monotonic()
    stream(kafka, fleet.completed, [Event(f"beside-{n}", 0) for n in range(CARTS)], A_SECOND)
    waits = _waits(kafka, fleet, 2 * CARTS + A_SECOND)
    without = [wait for cart, wait in waits.items() if cart.startswith("without-")]
    beside = [wait for cart, wait in waits.items() if cart.startswith("beside-")]
    assert len(without) == len(beside) == CARTS
    assert "hanging" not in waits
    p99, p99_beside = percentile(without, 0.99), percentile(beside, 0.99)
    print(f"{CARTS} carts, {A_SECOND} a second: p50 {percentile(without, 0.5):.3f} s, p99 {p99:.3f} s without,")
    print(f"p50 {percentile(beside, 0.5):.3f} s, p99 {p99_beside:.3f} s beside a call that hangs")
    assert p99_beside < RATIO * max(p99, FLOOR_SECONDS)
    if not LONG:
        assert time.monotonic() - hangs_since < HANG_SECONDS
        assert fleet.lag() > 0

    rokt.faults()
    if LONG:
        assert fleet.all_committed(HANG_SECONDS + 30)
        assert "hanging" in _waits(kafka, fleet, 2 * CARTS + A_SECOND + 1)


def _waits(kafka: Broker, fleet: Fleet, want: int) -> dict[str, float]:
    """By cart, the seconds from its event's timestamp to its outcome's."""
    published = {json.loads(r.value or b"")["cartId"]: r.timestamp for r in kafka.read(fleet.completed, want, 60)}
    outcomes = kafka.read(fleet.outcomes, want, 60)
    settled = {json.loads(r.value or b"")["cartId"]: r.timestamp for r in outcomes}
    return {cart: (at - published[cart]) / 1000 for cart, at in settled.items()}
