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
from typing import Final

from worker.demo.books import audit
from worker.demo.broker import Broker, Watch
from worker.demo.child import Child, environment
from worker.demo.evidence import Crash, Evidence
from worker.demo.performance import DemoError, Performance, Stage, read_all, still_alive, troubles
from worker.demo.report import Report, choose_trace, count_outcomes, waits
from worker.demo.rokt import Rokt
from worker.demo.screen import Screen
from worker.demo.script import SOURCES, Script, compose
from worker.demo.spans import Collector
from worker.demo.story import length, plan
from worker.sandbox.app import Settings as SandboxSettings
from worker.sandbox.server import start_sandbox

JOIN_SECONDS: Final = 30.0
STOP_SECONDS: Final = 15.0
TICK_SECONDS: Final = 0.02


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
        ahead = troubles(length(options.carts))
        crash = Performance(script, stage, screen, ahead).run()
        code = stage.child.stop(STOP_SECONDS)
        if code != 0:
            raise DemoError(f"The worker did not end as it should (exit code {code}):\n{stage.child.last_words()}")
        return _report(options, script, stage, gather(stage, crash), ahead.outage_seconds, began)


def _set_up(options: Options, screen: Screen, environ: Mapping[str, str], folder: Path, stack: ExitStack) -> Stage:
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
    return Stage(broker, watch, stack.enter_context(Rokt(sandbox.url)), collector, child)


def _rehearse(options: Options, stage: Stage) -> Script:
    random = Random(options.seed)  # noqa: S311 - a story, not a secret
    carts = plan(options.carts, random)
    reserved: dict[tuple[str, str], str] = {}
    for cart in carts:
        reserved |= stage.rokt.reserve(cart)
    return compose(carts, reserved, datetime.now(UTC), random)


def _await_worker(child: Child) -> None:
    deadline = time.monotonic() + JOIN_SECONDS
    while not child.joined:
        still_alive(child)
        if time.monotonic() > deadline:
            raise DemoError(f"The worker did not join its group in {JOIN_SECONDS:.0f} s:\n{child.last_words()}")
        time.sleep(TICK_SECONDS)


def gather(stage: Stage, crash: Crash | None) -> Evidence:
    """What the broker and Rokt hold, once the worker is gone."""
    read_all(stage)
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
        crash=crash,
    )


def _report(
    options: Options, script: Script, stage: Stage, evidence: Evidence, outage_seconds: float, began: float
) -> Report:
    published = Counter(one.record.topic for one in evidence.published)
    return Report(
        carts=options.carts,
        seed=options.seed,
        seconds=time.monotonic() - began,
        outage_seconds=outage_seconds,
        topics={topic: published[topic] for topic in SOURCES},
        calls=stage.rokt.by_operation,
        outcomes=count_outcomes(evidence.outcomes),
        balance=audit(script, evidence),
        waits=waits(evidence),
        spans=len(stage.collector.spans),
        trace=choose_trace(evidence, stage.collector.spans),
    )
