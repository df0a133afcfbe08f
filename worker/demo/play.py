"""The run as a whole: starts everything, plays the story, stops the worker, and settles the books."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final, Literal

from worker.demo.books import audit
from worker.demo.broker import Broker, Watch
from worker.demo.child import Child, environment
from worker.demo.evidence import Evidence
from worker.demo.report import Report, choose_trace, count_outcomes, waits
from worker.demo.rokt import Rokt
from worker.demo.screen import Progress, Screen
from worker.demo.script import SOURCES, Script, compose
from worker.demo.shop import Shop
from worker.demo.spans import Collector
from worker.demo.story import length, plan
from worker.sandbox.app import Settings as SandboxSettings
from worker.sandbox.server import start_sandbox

JOIN_SECONDS: Final = 30.0
SETTLE_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0
LOOK_SECONDS: Final = 0.4
TICK_SECONDS: Final = 0.02


class DemoError(Exception):
    """It cannot go on; the text says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """How large, from which seed, and where the worker's log is kept, if it is."""

    carts: int
    seed: int
    log: Path | None = None


def play(options: Options, screen: Screen, environ: Mapping[str, str] = os.environ) -> Report:
    """The whole demo. Raises DemoError; leaves nothing running, however it ends."""
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rokt-worker-demo-")))
        stack.enter_context(screen)
        stage = _set_up(options, screen, environ, folder, stack)
        script = _rehearse(options, stage)
        screen.step(f"shop: {len(script.records)} records to publish, {len(script.reservations)} items in its carts")
        _await_worker(stage.child)
        screen.step(f"worker: process {stage.child.pid}, in its group after {time.monotonic() - began:.1f} s")
        outage = _perform(options, script, stage, screen)
        code = stage.child.stop(STOP_SECONDS)
        if code != 0:
            raise DemoError(f"The worker did not end as it should (exit code {code}):\n{stage.child.last_words()}")
        return _report(options, script, stage, outage, began)


@dataclass(frozen=True, slots=True)
class _Stage:
    """Everything that runs."""

    broker: Broker
    watch: Watch
    rokt: Rokt
    collector: Collector
    child: Child


@dataclass(frozen=True, slots=True)
class _Outage:
    after: float
    seconds: float

    def rokt(self, elapsed: float) -> Literal["up", "down", "up again"]:
        return "up" if elapsed < self.after else "down" if elapsed < self.after + self.seconds else "up again"


def _set_up(options: Options, screen: Screen, environ: Mapping[str, str], folder: Path, stack: ExitStack) -> _Stage:
    broker = Broker()
    screen.step(f"broker: inside this process, at {broker.address}")
    sandbox = stack.enter_context(start_sandbox(SandboxSettings(seed=options.seed)))
    screen.step(f"Rokt: a stand-in at {sandbox.url}")
    collector = stack.enter_context(Collector())
    child = stack.enter_context(
        Child(
            environment(environ, broker.address, sandbox.url, collector.url, folder),
            options.log or folder / "worker.log",
        )
    )
    watch = stack.enter_context(Watch(broker))
    return _Stage(broker, watch, stack.enter_context(Rokt(sandbox.url)), collector, child)


def _rehearse(options: Options, stage: _Stage) -> Script:
    random = Random(options.seed)  # noqa: S311 - a story, not a secret
    carts = plan(options.carts, random)
    reserved: dict[tuple[str, str], str] = {}
    for cart in carts:
        reserved |= stage.rokt.reserve(cart)
    return compose(carts, reserved, datetime.now(UTC), random)


def _await_worker(child: Child) -> None:
    deadline = time.monotonic() + JOIN_SECONDS
    while not child.joined:
        _still_alive(child)
        if time.monotonic() > deadline:
            raise DemoError(f"The worker did not join its group in {JOIN_SECONDS:.0f} s:\n{child.last_words()}")
        time.sleep(TICK_SECONDS)


def _perform(options: Options, script: Script, stage: _Stage, screen: Screen) -> _Outage:
    """Publishes, until all is published and committed, or nothing has moved for a minute."""
    seconds = length(options.carts)
    outage = _Outage(round(seconds * 0.4, 2), round(min(4.0, max(1.0, seconds * 0.28)), 2))
    stage.rokt.order_faults(outage.after, outage.seconds)
    shop = Shop(script, stage.broker.publish)
    began = moved = time.monotonic()
    looked, settled = 0.0, 0
    while not (shop.done and settled == len(script.records)) and time.monotonic() - moved < SETTLE_SECONDS:
        elapsed = time.monotonic() - began
        shop.turn(elapsed, time.time())
        stage.broker.serve()
        stage.watch.read(TICK_SECONDS, shop.heard)
        if elapsed - looked >= LOOK_SECONDS:
            looked = elapsed
            _still_alive(stage.child)
            stage.rokt.fetch_calls()
            before, settled = settled, sum(stage.watch.committed().values())
            moved = time.monotonic() if settled != before else moved
        screen.show(_progress(elapsed, shop, settled, script, stage, outage))
    stage.broker.flush()
    return outage


def _progress(elapsed: float, shop: Shop, settled: int, script: Script, stage: _Stage, outage: _Outage) -> Progress:
    calls = stage.rokt.calls
    return Progress(
        elapsed=elapsed,
        total=len(script.records),
        published=shop.published,
        settled=settled,
        letters=len(stage.watch.letters),
        calls=len(calls),
        lost=sum(call.status is None or call.status >= 500 for call in calls),
        rokt=outage.rokt(elapsed),
    )


def _still_alive(child: Child) -> None:
    if (code := child.ended) is not None:
        raise DemoError(f"The worker ended with exit code {code} before its work was done:\n{child.last_words()}")


def gather(stage: _Stage) -> Evidence:
    """What the broker and Rokt hold, once the worker is gone."""
    if not stage.watch.read_to_the_end():
        raise DemoError("The results could not be read to their end")
    stage.rokt.fetch_calls()
    reservations, orders, twice = stage.rokt.holds()
    return Evidence(
        published=tuple(stage.broker.published),
        outcomes=tuple(stage.watch.outcomes),
        letters=tuple(stage.watch.letters),
        calls=tuple(stage.rokt.calls),
        ends=stage.watch.ends(),
        committed=stage.watch.committed(),
        reservations=reservations,
        orders=orders,
        twice=twice,
    )


def _report(options: Options, script: Script, stage: _Stage, outage: _Outage, began: float) -> Report:
    evidence = gather(stage)
    published = Counter(one.record.topic for one in evidence.published)
    return Report(
        carts=options.carts,
        seed=options.seed,
        seconds=time.monotonic() - began,
        outage_seconds=outage.seconds,
        topics={topic: published[topic] for topic in SOURCES},
        calls=stage.rokt.by_operation,
        outcomes=count_outcomes(evidence.outcomes),
        balance=audit(script, evidence),
        waits=waits(evidence),
        spans=len(stage.collector.spans),
        trace=choose_trace(evidence, stage.collector.spans),
    )
