"""A replay's whole life in one process: start, signals, what it waits for, the end of the last stretch.

Live traffic goes first. Under a cap on calls for the fleet (WORKER_ROKT__MAX_CALLS_PER_SECOND) a replay has the slots
that the live workers leave over. Without one nothing is shared but Rokt itself, which nobody knows the strength of but
by what the live workers were set to: of that, a process of a replay takes half.
"""

from __future__ import annotations

import asyncio
import gc
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from structlog.typing import FilteringBoundLogger

from worker import process, terms, wiring
from worker.dispatch import Dispatcher
from worker.errors import CannotReplay, WorkerError
from worker.gate.both import Both
from worker.gate.quota import SPARE_SECONDS, Quota, Slots
from worker.ledger.ledger import CALLS_TO_ROKT, Ledger
from worker.looking import Looking, constants, metrics_of
from worker.replay import consuming, waiting
from worker.replay.progress import Progress
from worker.replay.request import Come, Request, Tell, at_once
from worker.replay.request import Progress as Told
from worker.replay.selecting import Selecting
from worker.retry import Backoff
from worker.settings import Settings
from worker.stalls import stalled
from worker.stream import config
from worker.stream.assignment import Assignment
from worker.stream.consumer import ConsumerThread
from worker.stream.consumption import Consumption
from worker.stream.losses import Losses
from worker.telemetry import export, instruments, logs, names
from worker.telemetry.metrics import Metrics, Read

KEEP_SECONDS: Final = 1.0
KEEP_SHARE: Final = 10.0  # keeping takes no more of the time than one part in so many: live workers write there, too
TELL_SECONDS: Final = 0.5
LOOK_SECONDS: Final = 0.05
CLOSE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Replay:
    """A process of a replay, built; its consumer is not started yet."""

    core: wiring.Core
    progress: Progress
    reading: consuming.Reading
    dispatcher: Dispatcher
    consumption: Consumption
    consumer: ConsumerThread
    losses: Losses


def run(request: Request, settings: Settings, tell: Tell) -> Come:
    """Runs until the replay is finished, here and in all its other processes, or this one is told to stop.

    Gives how far it has come; not `finished`: it was stopped, and goes on when it is run again. Raises WorkerError for
    what cannot be waited out, SettingsError and CannotReplay before it begins.
    """
    log = logs.configure(settings.log.format, settings.log.level)
    process.on_defects(log)
    outlets = export.outlets(os.environ)
    with asyncio.Runner(loop_factory=process.loop_factory()) as runner:
        return runner.run(_run(request, _own(settings), tell, outlets, log))


async def _run(
    request: Request, settings: Settings, tell: Tell, outlets: export.Outlets, log: FilteringBoundLogger
) -> Come:
    loop = asyncio.get_running_loop()
    over: asyncio.Future[Exception | None] = loop.create_future()
    stop: asyncio.Future[Exception | None] = loop.create_future()
    replay = _build(request, settings, outlets, log, over, stop)
    metrics = _metrics(request, settings, outlets, replay)
    process.on_signals(loop, partial(process.first, stop, None))
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    replay.core.ledger.start(partial(process.first, stop))
    keeping = loop.create_task(_keep(replay))
    telling = loop.create_task(_tell(replay, settings.kafka.stall_seconds, tell))
    measuring = loop.create_task(metrics.watch(log))
    until: set[asyncio.Future[Any]] = {over, stop, keeping}
    await asyncio.wait(until, return_when=asyncio.FIRST_COMPLETED)
    log.info(names.LOG_STOPPING, drain_seconds=settings.shutdown.drain_seconds)
    telling.cancel()
    measuring.cancel()
    keeping.cancel()
    if replay.consumer.ident is not None:
        replay.consumer.stop()
        await asyncio.wait({over}, timeout=settings.shutdown.drain_seconds + CLOSE_SECONDS)
    ended = await asyncio.gather(keeping, return_exceptions=True)
    come = await _last_look(replay)
    await replay.core.close(flush_seconds=process.FLUSH_SECONDS, ledger_seconds=CLOSE_SECONDS)
    await process.flush(outlets, metrics)
    for failure in (*(f.result() for f in (stop, over) if f.done()), *ended):
        if isinstance(failure, Exception):
            raise failure
    tell(Told(come))
    return come


async def _keep(replay: _Replay) -> None:
    """Keeps now and then how far it has come, until the replay is finished. The consumer begins once that is known."""
    come = await replay.progress.look()
    if come.finished:
        return
    replay.consumer.start()
    while not come.finished:
        before = time.monotonic()
        await replay.reading.save(replay.consumption.assignments())
        come = await replay.progress.look()
        if not come.finished:
            await _pause(replay, max(KEEP_SECONDS, KEEP_SHARE * (time.monotonic() - before)))


async def _pause(replay: _Replay, seconds: float) -> None:
    """Shorter, when there is nothing more to be done here than to keep that."""
    for _ in range(math.ceil(seconds / LOOK_SECONDS)):
        if replay.reading.is_at_its_end(replay.consumption.assignments()):
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _tell(replay: _Replay, stall_seconds: float, tell: Tell) -> None:
    while True:
        standing = _standing(replay, stall_seconds)
        tell(Told(replay.progress.come(), waiting.waits_for(standing), standing.stretches))
        await asyncio.sleep(TELL_SECONDS)


def _standing(replay: _Replay, stall_seconds: float) -> waiting.Standing:
    core, assigned = replay.core, replay.consumption.assignments()
    refused_since = None if core.quota is None else core.quota.refused_since
    return waiting.Standing(
        gate=core.gate.state,
        ledger_down=not core.ledger.up,
        brokers_down=core.brokers.down,
        joined=replay.consumption.joined,
        stretches=sum(not a.over or a.gap > 0 for a in assigned),
        behind_others_seconds=0.0 if refused_since is None else time.monotonic() - refused_since,
        stalls=stalled(assigned, stall_seconds, clock=time.monotonic()),
        short=[(f"{a.topic}/{a.partition}", end) for a in assigned if (end := _short_end(a)) is not None],
    )


def _short_end(a: Assignment) -> int | None:
    """Where the log ends of one that is settled up to there and planned to go on; None for any other."""
    if a.over or a.log_end is None or a.next_offset is None or a.log_end < a.next_offset or a.gap > 0:
        return None
    return a.log_end


async def _last_look(replay: _Replay) -> Come:
    """What is kept; as it was last seen, when the ledger does not say."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            return await replay.progress.look()
    except (TimeoutError, WorkerError):
        return replay.progress.come()


def _build(
    request: Request,
    settings: Settings,
    outlets: export.Outlets,
    log: FilteringBoundLogger,
    over: asyncio.Future[Exception | None],
    stop: asyncio.Future[Exception | None],
) -> _Replay:
    plan, kafka, loop = request.plan, settings.kafka, asyncio.get_running_loop()
    _check_topics(request, settings)
    group = consuming.group_of(kafka, plan.name)
    core = wiring.core(settings, tracer=outlets.tracer, log=log, slots=partial(_slots, request), group=group)
    progress = Progress(core.ledger, plan, lambda: int(time.time() * 1000))
    selecting = Selecting(core.pipeline, core.ledger, plan.wanted)
    eager = config.beginning(kafka).eager
    reading = consuming.Reading(plan, progress, selecting, eager=eager, loop=loop)
    dispatcher = Dispatcher(
        selecting,
        max_under_way=kafka.max_under_way,
        clock=time.monotonic,
        fail=partial(process.first, stop),
        log=log,
        meters=core.around.meters,
        tell=reading.tell,
        repeating=True,
    )
    losses = Losses(log, ask_seconds=terms.ASK_SECONDS, tell=reading.lost)
    dispatch = consuming.OnLoop(dispatcher, reading, loop)
    consumption = wiring.consuming(settings, core, dispatch, losses, log, topics=plan.topics, take=reading.take)
    properties = consuming.consumer_config(kafka, plan.name, log, core.brokers.trouble)
    ended = partial(process.first, over)
    consumer = ConsumerThread(properties, consumption, brokers=core.brokers, loop=loop, ended=ended)
    return _Replay(core, progress, reading, dispatcher, consumption, consumer, losses)


def _metrics(request: Request, settings: Settings, outlets: export.Outlets, replay: _Replay) -> Metrics:
    """What is measured of it, for who is pushed to: it has no port of its own."""
    core = replay.core
    looking = Looking(
        gate=core.gate,
        ledger=core.ledger,
        brokers=core.brokers,
        consumption=replay.consumption,
        consumer=replay.consumer,
        dispatcher=replay.dispatcher,
        losses=replay.losses,
        stall_seconds=settings.kafka.stall_seconds,
    )
    planned = sum(stretch.offsets for stretch in request.plan.stretches)

    def progress() -> Read:
        come = replay.progress.come()
        return {
            instruments.REPLAY_PLANNED: [((), planned)],
            instruments.REPLAY_PASSED: [((), come.offsets)],
            instruments.REPLAY_RECORDS: [((part,), count) for part, count in come.counts.items()],
        }

    group = consuming.group_of(settings.kafka, request.plan.name)
    fixed = constants(settings, group)
    return metrics_of(looking.state, core.around, outlets, constants=fixed, scraped=False, more=progress)


def _check_topics(request: Request, settings: Settings) -> None:
    unknown = set(request.plan.topics) - config.event_types(settings.topics).keys()
    if unknown:
        raise CannotReplay(
            f"it was planned for topics that these settings do not name: {', '.join(sorted(unknown))}",
            "give the settings that it was planned with (WORKER_TOPICS__*)",
        )


def _own(settings: Settings) -> Settings:
    """With half the calls under way, where no cap says what live traffic leaves over."""
    rokt = settings.rokt
    if rokt.max_calls_per_second is not None:
        return settings
    fewer = rokt.model_copy(update={"max_concurrency": at_once(rokt.max_concurrency)})
    return settings.model_copy(update={"rokt": fewer})


def _slots(request: Request, settings: Settings, ledger: Ledger, ready: Callable[[], None]) -> Slots | None:
    """What live traffic leaves over of the fleet's budget; and this replay's own, which its processes share."""
    pauses = Backoff(*wiring.QUOTA_PAUSES)
    cap, rate = settings.rokt.max_calls_per_second, request.rate
    shared = own = None
    if cap is not None:
        shared = Quota(cap, partial(ledger.reserve, spare=True), time.monotonic, pauses, ready, spare=True)
    if rate is not None:
        budget = f"{CALLS_TO_ROKT}.replay.{request.plan.name}"
        own = Quota(rate, partial(ledger.reserve, budget=budget), time.monotonic, pauses, ready)
    if own is None or shared is None:
        return own or shared
    return Both(own, shared, few=max(1, math.ceil((rate or 0.0) * SPARE_SECONDS)))
