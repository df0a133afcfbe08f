"""SIGTERM, SIGKILL, a second member: whatever ends a worker, every event is settled in the end, and once."""

from __future__ import annotations

import signal
import time
from functools import partial

from infra.brokers import Broker
from infra.events import completed, encoded, reservation
from infra.rokt import Rokt
from infra.worker import Worker, until

CARTS = [f"cart-{n}" for n in range(40)]
FIXED = {"kind": "fixed", "seconds": 0.1}
FEW = {"WORKER_ROKT__MAX_CONCURRENCY": "2"}
SHORT_LEASE = {"WORKER_ROKT__TIMEOUT_SECONDS": "2", "WORKER_LEDGER__LEASE_SECONDS": "3"}


def _publish(broker: Broker, worker: Worker) -> None:
    for cart in CARTS:
        broker.produce(worker.completed, encoded(completed(cart)), key=cart)


def _confirms(rokt: Rokt) -> list[int]:
    found = rokt.reservations()
    return [found.get(reservation(cart), {}).get("confirms", 0) for cart in CARTS]


def test_sigterm_settles_the_events_in_hand_and_leaves_the_rest(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    rokt.faults(latency=FIXED)
    _publish(broker, worker)
    worker.start(**FEW)
    assert until(lambda: sum(_confirms(rokt)) >= 5)
    assert worker.stop() == 0

    done = len(broker.read(worker.outcomes, timeout=1))
    assert 5 <= done < len(CARTS)
    assert sum(_confirms(rokt)) == done
    assert worker.lag() == len(CARTS) - done

    worker.start()
    assert worker.all_committed()
    assert worker.stop() == 0
    assert _confirms(rokt) == [1] * len(CARTS)


def test_a_call_that_hangs_is_left_uncommitted_after_the_drain_time(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    rokt.faults(timeout_before=1.0, hang_seconds=60)
    broker.produce(worker.completed, encoded(completed("ada")), key="ada")
    worker.start(WORKER_ROKT__TIMEOUT_SECONDS="60", WORKER_SHUTDOWN__DRAIN_SECONDS="1")
    assert until(lambda: rokt.summary()["requests"])
    started = time.monotonic()

    assert worker.stop() == 0
    assert time.monotonic() - started < 1 + 5
    assert worker.lag() == 1


def test_a_second_signal_leaves_at_once(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    rokt.faults(timeout_before=1.0, hang_seconds=60)
    broker.produce(worker.completed, encoded(completed("ada")), key="ada")
    worker.start(WORKER_ROKT__TIMEOUT_SECONDS="60", WORKER_SHUTDOWN__DRAIN_SECONDS="30")
    assert until(lambda: rokt.summary()["requests"])
    worker.signal(signal.SIGTERM)
    assert until(lambda: worker.lines("worker.stopping"))
    worker.signal(signal.SIGTERM)

    assert worker.wait(5) == 128 + signal.SIGTERM
    assert worker.lag() == 1


def test_a_killed_worker_loses_nothing(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    rokt.faults(latency=FIXED)
    worker.settings |= SHORT_LEASE
    _publish(broker, worker)
    for enough in (5, 15, 25):
        worker.start(**FEW)
        assert until(partial(_reached, rokt, enough))
        worker.kill()
    worker.start()

    assert worker.all_committed()
    assert worker.stop() == 0
    assert _confirms(rokt) == [1] * len(CARTS)
    assert rokt.summary()["double_effects"] == 0


def test_two_members_share_the_work_and_a_leaving_one_hands_it_over(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    rokt.faults(latency=FIXED)
    worker.start(**FEW)
    assert until(lambda: len(worker.lines("kafka.assigned")) >= 1)
    _publish(broker, worker)
    worker.start(**FEW)
    assert until(lambda: len(worker.lines("kafka.revoked")) >= 1)
    assert worker.stop() == 0

    assert worker.all_committed()
    assert _confirms(rokt) == [1] * len(CARTS)
    assert rokt.summary()["double_effects"] == 0


def _reached(rokt: Rokt, enough: int) -> bool:
    return sum(_confirms(rokt)) >= enough
