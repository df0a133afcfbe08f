"""Runs with a course of their own: a limit, a part of Rokt that fails, one cart that fails among good ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.brokers import Broker, Kind
from infra.events import abandoned, cancelled, completed, reservation
from infra.worker import until
from outages.figures import Figures
from outages.rates import most_in_a_second, rate, seconds_until, surely_in_a_second
from outages.stage import LONG, RECOVERY_SECONDS, Stage, staged

ALLOWED = 100 if LONG else 40
CAP = 30
MEMBERS = 3
MAX_ATTEMPTS = 4
SICK = "sick"
AROUND_SECONDS = 4.0
QUICK = {"kind": "fixed", "seconds": 0.05}


@dataclass(frozen=True, slots=True)
class Run:
    """A run by name; `seconds`: how long it takes, about."""

    name: str
    course: Callable[[Broker, Path, str], Figures]
    seconds: float = 10.0
    broker: Kind = "embedded"

    def __str__(self) -> str:
        return self.name

    def play(self, broker: Broker, folder: Path) -> Figures:
        return self.course(broker, folder, self.name)


def confirm_fails(broker: Broker, folder: Path, name: str) -> Figures:
    """Everything else has to get done while it does; notes how long that took."""
    carts = 400 if LONG else 60
    with staged(broker, folder) as stage:
        fleet = stage.fleet
        fleet.start()
        confirmed = [f"early-{n}" for n in range(carts)]
        for cart in confirmed:
            _checkout(stage, cart)
        assert until(lambda: stage.settled() == carts)
        began = time.monotonic()
        stage.order_of_rokt(errors={"503": 1}, only=["confirm"])
        for n, cart in enumerate(confirmed):
            _checkout(stage, f"late-{n}")
            stage.publish(fleet.cancelled, cancelled(cart))
            stage.publish(fleet.abandoned, abandoned(f"left-{n}"))
        done = until(lambda: stage.settled() == 3 * carts, RECOVERY_SECONDS)
        others_after = time.monotonic() - began
        time.sleep(max(0.0, (60 if LONG else 6) - others_after))
        stage.mend()
        fault = began, time.monotonic()
        assert fleet.all_committed()
        assert fleet.stop() == 0
        left = [cart for cart in confirmed if stage.rokt.state_of(reservation(cart)) != "cancelled"]
        left += [f"left-{n}" for n in range(carts) if stage.rokt.state_of(reservation(f"left-{n}")) != "released"]
        notes = {"others not done": len(left), "others s": others_after if done else float("inf")}
        return stage.figures(name, fault, notes=notes)


def one_cart_fails(status: int) -> Callable[[Broker, Path, str], Figures]:
    """Among good ones that never run out, until it is given up; the rates are those of the good ones."""

    def course(broker: Broker, folder: Path, name: str) -> Figures:
        with staged(broker, folder, WORKER_RETRY__MAX_ATTEMPTS=str(MAX_ATTEMPTS)) as stage:
            stage.order_of_rokt(errors={str(status): 1}, only_carts=SICK)
            stage.fleet.start()
            with stage.supply():
                begin = stage.warm_up()
                time.sleep(AROUND_SECONDS)
                fault = time.monotonic()
                _checkout(stage, SICK)
                until(lambda: stage.fleet.dead_lettered(), 30)
                time.sleep(max(0.0, fault + AROUND_SECONDS - time.monotonic()))
                end = time.monotonic()
            stage.fleet.all_committed(30)
            stage.fleet.stop()
            [*attempts] = [float(letter["dlq.attempts"]) for letter in stage.dead_letters()]
            taken = stage.taken()
            return stage.figures(
                name,
                (fault, end),
                rate_before=rate(taken, begin, fault),
                rate_after=rate(taken, fault, end),
                notes={"attempts": attempts[0]} if attempts else {},
            )

    return course


def so_many_a_second(broker: Broker, folder: Path, name: str) -> Figures:
    """Rokt takes so many calls a second, the worker could make many more; `full_after` counts from the first call."""
    seconds = 120.0 if LONG else 15.0
    with staged(broker, folder, 64) as stage:
        stage.order_of_rokt(latency=QUICK, calls_per_second=ALLOWED)
        stage.fleet.start()
        with stage.supply(2 * ALLOWED):
            assert until(stage.proxy.requests)
            began = stage.proxy.requests()[0].at
            time.sleep(seconds)
            end = time.monotonic()
        assert stage.fleet.all_committed()
        assert stage.fleet.stop() == 0
        requests, taken = stage.proxy.requests(), stage.taken()
        refused = sum(request.status == 429 for request in requests)
        return stage.figures(
            name,
            (began, end),
            rate_before=float(ALLOWED),
            rate_after=rate(taken, began + 10, end),
            full_after=seconds_until(taken, began, 0.9 * ALLOWED),
            notes={"% refused": 100 * refused / len(requests)},
        )


def a_fleet_with_a_cap(broker: Broker, folder: Path, name: str) -> Figures:
    """Three workers on one ledger, who may make 30 calls a second together and have work for many more."""
    seconds = 60.0 if LONG else 8.0
    with staged(broker, folder, WORKER_ROKT__MAX_CALLS_PER_SECOND=str(CAP)) as stage:
        stage.order_of_rokt(latency=QUICK)
        for _ in range(MEMBERS):
            stage.fleet.start()
        with stage.supply(4 * CAP):
            assert until(lambda: stage.fleet.said("kafka.assigned") >= MEMBERS)
            began = time.monotonic()
            time.sleep(seconds)
            end = time.monotonic()
        assert stage.fleet.all_committed()
        for member in stage.fleet.members():
            stage.fleet.leave(member)
        assert set(stage.fleet.left()) == {0}
        requests = stage.proxy.requests()
        times = [request.at for request in requests]
        surely = surely_in_a_second([(request.since, request.at) for request in requests])
        notes = {"surely in a second": float(surely), "seen": float(most_in_a_second(times)), "cap": float(CAP)}
        return stage.figures(name, (began, end), rate_after=rate(times, began, end), notes=notes)


def _checkout(stage: Stage, cart: str) -> None:
    stage.publish(stage.fleet.completed, completed(cart))
    stage.published.append(reservation(cart))


LIMIT = Run(f"{ALLOWED} calls a second", so_many_a_second, 30)
FLEET = Run(f"a fleet of {MEMBERS}, {CAP} a second", a_fleet_with_a_cap, 25)
ENDPOINT = Run("confirm fails, the others work", confirm_fails, 20)
ALWAYS_500 = Run("one cart always 500", one_cart_fails(500), 20)
ALWAYS_429 = Run("one cart always 429", one_cart_fails(429), 20)
