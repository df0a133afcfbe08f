"""deploy/compose.yaml: it comes up healthy, and the books balance through whatever happens to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from containers.engine import Engine
from containers.stack import Stack, expected
from infra.worker import until

EVENTS, RATE, SEED = 2_000, 40.0, 20
PATIENCE = 180.0

pytestmark = pytest.mark.timeout(1_800)  # the first one builds every image


def test_it_ends_healthy_with_three_workers(stack: Stack) -> None:
    print(f"\nup again in {stack.up():.1f} s")
    assert len(stack.workers()) == 3


def test_a_worker_is_killed_one_is_added_the_broker_restarts_all_workers_restart_and_the_books_balance(
    stack: Stack, docker: Engine
) -> None:
    stack.sell(EVENTS, RATE, SEED)
    assert until(lambda: stack.summary()["requests"] > 100)
    docker.docker("kill", "--signal=KILL", stack.workers()[0])
    stack.compose("up", "--no-build", "--detach", "--no-recreate", "--scale", "worker=4", "worker")
    assert until(lambda: len(stack.workers()) == 4)
    stack.compose("restart", "--timeout", "20", "kafka")
    for one in stack.workers():
        docker.docker("restart", "--time=40", one)
    stack.sold_out(PATIENCE)
    sold = time.monotonic()
    wanted = expected(EVENTS, SEED)
    assert until(lambda: wanted.items() <= stack.reservations().items(), PATIENCE), _differing(wanted, stack)
    summary = stack.summary()
    print(f"\n{len(wanted)} reservations are right {time.monotonic() - sold:.1f} s after the last event: {summary}")
    assert (summary["double_effects"], summary["release_of_confirmed"]) == (0, 0)


def _differing(wanted: dict[str, str], stack: Stack) -> dict[str, tuple[str, str | None]]:
    there = stack.reservations()
    return {id_: (state, there.get(id_)) for id_, state in wanted.items() if there.get(id_) != state}


@pytest.mark.parametrize("surge", [False, True], ids=["each in place", "a new one before an old one goes"])
def test_a_rolling_restart_of_all_workers_loses_and_doubles_nothing(stack: Stack, docker: Engine, surge: bool) -> None:
    events, seed = 1_500, 30 + surge
    stack.up("--scale", "worker=3")
    before = stack.summary()["requests"]
    stack.sell(events, RATE, seed)
    assert until(lambda: stack.summary()["requests"] > before + 50)
    with pauses(stack) as waited:
        for one in stack.workers():
            if surge:
                stack.up("--scale", "worker=4", "--no-recreate", "worker")
                docker.docker("rm", "--force", "--volumes", docker.docker("stop", "--time=40", one).strip())
            else:
                docker.docker("restart", "--time=40", one)
                stack.up("--scale", "worker=3", "--no-recreate", "worker")
    stack.sold_out(PATIENCE)
    wanted = expected(events, seed)
    assert until(lambda: wanted.items() <= stack.reservations().items(), PATIENCE), _differing(wanted, stack)
    summary = stack.summary()
    print(f"\nall workers restarted: no call to Rokt for {max(waited):.1f} s at most; {summary}")
    assert (summary["double_effects"], summary["release_of_confirmed"]) == (0, 0)


@contextmanager
def pauses(stack: Stack) -> Iterator[list[float]]:
    """How long, each time, Rokt heard nothing, in seconds; looked at ten times a second."""
    found, over = [0.0], threading.Event()

    def look() -> None:
        last, at = stack.summary()["requests"], time.monotonic()
        while not over.wait(0.1):
            if (now := stack.summary()["requests"]) != last:
                found.append(time.monotonic() - at)
                last, at = now, time.monotonic()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield found
    finally:
        over.set()
        looking.join()
