"""The play itself: the shop publishes, Rokt is down for a while, the worker is killed meanwhile and started again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from worker.demo.broker import Broker, Watch
from worker.demo.child import Child
from worker.demo.evidence import Crash
from worker.demo.rokt import Rokt
from worker.demo.screen import Progress, Screen
from worker.demo.script import Script
from worker.demo.shop import Shop
from worker.demo.spans import Collector

SETTLE_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.4
TICK_SECONDS: Final = 0.02
# As a supervisor would wait. Were it back sooner, the embedded broker would wait twice for the killed member to join.
RESTART_SECONDS: Final = 1.0


class DemoError(Exception):
    """It cannot go on; the text says why."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs."""

    broker: Broker
    watch: Watch
    rokt: Rokt
    collector: Collector
    child: Child


@dataclass(frozen=True, slots=True)
class Troubles:
    """When Rokt is down, and when the worker is killed, in seconds from the beginning.

    It is killed in the outage, some time after Rokt has last judged a call: then none is cut off between Rokt's refusal
    and the worker's note of it, of which nobody could say afterwards whether it had been refused or done.
    """

    outage_after: float
    outage_seconds: float
    crash_after: float

    def rokt(self, elapsed: float) -> Literal["up", "down", "up again"]:
        """How Rokt is at that time."""
        if elapsed < self.outage_after:
            return "up"
        return "down" if elapsed < self.outage_after + self.outage_seconds else "up again"


def troubles(seconds: float) -> Troubles:
    """Those of a story that is so long."""
    after, lasts = seconds * 0.4, min(4.0, max(2.0, seconds * 0.28))
    return Troubles(round(after, 2), round(lasts, 2), round(after + lasts * 0.75, 2))


class Performance:
    """One play of a script; `run` does it."""

    def __init__(self, script: Script, stage: Stage, screen: Screen, ahead: Troubles) -> None:
        self._script = script
        self._stage = stage
        self._screen = screen
        self._ahead = ahead
        self._shop = Shop(script, stage.broker.publish)
        self._settled = 0
        self._crash: Crash | None = None
        self._worker: Literal["works", "is down", "starts"] = "works"

    def run(self) -> Crash | None:
        """Publishes, until all is published and committed, or nothing has moved for a minute. Raises DemoError."""
        stage, ahead = self._stage, self._ahead
        stage.rokt.order_faults(ahead.outage_after, ahead.outage_seconds)
        began = moved = time.monotonic()
        looked = 0.0
        while not self._over() and time.monotonic() - moved < SETTLE_SECONDS:
            elapsed = time.monotonic() - began
            self._shop.turn(elapsed, time.time())
            stage.broker.serve()
            stage.watch.read(TICK_SECONDS, self._shop.heard)
            if self._crash is None and elapsed >= ahead.crash_after:
                self._kill(elapsed)
            if elapsed - looked >= LOOK_SECONDS:
                looked, before = elapsed, self._settled
                self._look(elapsed)
                moved = time.monotonic() if self._settled != before else moved
            self._screen.show(self._progress(elapsed))
        stage.broker.flush()
        return self._crash

    def _over(self) -> bool:
        all_settled = self._shop.done and self._settled == len(self._script.records)
        return all_settled and self._crash is not None and self._worker == "works"

    def _look(self, elapsed: float) -> None:
        """Looks at what need not be known every moment."""
        stage = self._stage
        stage.rokt.fetch_calls(self._shop.seen)
        self._settled = sum(stage.watch.committed().values())
        if self._worker != "is down":
            still_alive(stage.child)
        if self._crash is not None:
            self._bring_back(elapsed - self._crash.after)

    def _bring_back(self, since: float) -> None:
        """Starts the worker again, `since` so many seconds killed, and says when it is back."""
        child = self._stage.child
        if self._worker == "is down" and since >= RESTART_SECONDS:
            child.start()
            self._worker = "starts"
            self._screen.step(f"worker: started again, process {child.pid}")
        elif self._worker == "starts" and child.joined:
            self._worker = "works"
            self._screen.step(f"worker: in its group again, {since:.1f} s after it was killed")

    def _kill(self, elapsed: float) -> None:
        """Kills the worker, and notes what is there at this moment."""
        stage = self._stage
        still_alive(stage.child)
        stage.child.kill()
        stage.broker.flush()
        read_all(stage, self._shop.heard)
        stage.rokt.fetch_calls(self._shop.seen)
        told = stage.watch.handed_over()
        in_hand = frozenset(
            one.position
            for one in stage.broker.published
            for handover in (told[one.position[:2]],)
            if one.position[2] >= handover.base and not handover.covers(one.position[2], one.timestamp_ms)
        )
        results = len(stage.rokt.calls), len(stage.watch.outcomes), len(stage.watch.letters)
        self._crash = Crash(elapsed, *results, in_hand)
        self._worker = "is down"
        self._screen.step(f"worker: killed (kill -9) with {len(in_hand)} records in hand")

    def _progress(self, elapsed: float) -> Progress:
        calls = self._stage.rokt.calls
        return Progress(
            elapsed=elapsed,
            total=len(self._script.records),
            published=self._shop.published,
            settled=self._settled,
            letters=len(self._stage.watch.letters),
            calls=len(calls),
            lost=sum(call.status is None or call.status >= 500 for call in calls),
            rokt=self._ahead.rokt(elapsed),
        )


def still_alive(child: Child) -> None:
    """Raises DemoError when the worker ended by itself."""
    if (code := child.ended) is not None:
        raise DemoError(f"The worker ended with exit code {code} before its work was done:\n{child.last_words()}")


def read_all(stage: Stage, heard: Callable[..., None] = lambda _: None) -> None:
    """Reads every result there is. Raises DemoError."""
    if not stage.watch.read_to_the_end(heard):
        raise DemoError("The results could not be read to their end")
