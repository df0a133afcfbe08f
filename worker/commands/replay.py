"""`rokt-worker replay`: a bounded stretch of the topics again."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from worker.commands.moments import Moment
from worker.commands.speaking import (
    INTERRUPTED,
    Speech,
    ends_well,
    json_option,
    leave,
    settings_options,
)
from worker.errors import CannotReplay
from worker.replay.request import Come, Request, at_once

if TYPE_CHECKING:
    from worker.commands.replay_options import Options
    from worker.ledger.store import Store
    from worker.replay.forecast import Forecast
    from worker.replay.plan import Plan, Wanted
    from worker.settings import Settings

T = TypeVar("T")


@click.command("replay", short_help="A stretch of the topics again: what was not done then is done now.")
@click.option("--since", type=Moment(), required=True, metavar="TIME", help="The first record of this time or later.")
@click.option("--until", type=Moment(), metavar="TIME", help="Up to this time. Default: what is there when it begins.")
@click.option("--topic", "topics", multiple=True, metavar="TOPIC", help="Only this source topic; may be repeated.")
@click.option("--partition", "partitions", multiple=True, metavar="N", help="Only this one, N or TOPIC/N; repeatable.")
@click.option("--cart", "carts", multiple=True, metavar="ID", help="Only events of this cart; may be repeated.")
@click.option("--order", "orders", multiple=True, metavar="ID", help="Or of this order; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Say what would happen; nothing is called, written or changed.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), metavar="N", help="At most N calls a second.")
@click.option("--again", is_flag=True, help="Make rejected and given-up calls again, too.")
@click.option("--name", metavar="NAME", help="To resume or share it by. Default: derived from what is asked for.")
@click.option("--beyond-ledger", is_flag=True, help="Also further back than the ledger remembers.")
@click.option("--report", type=click.Path(path_type=Path), metavar="FILE", help="Write the answer there too, as JSON.")
@settings_options
@json_option
@ends_well
def replay(
    since: int,
    until: int | None,
    topics: tuple[str, ...],
    partitions: tuple[str, ...],
    carts: tuple[str, ...],
    orders: tuple[str, ...],
    dry_run: bool,
    rate: float | None,
    again: bool,
    name: str | None,
    beyond_ledger: bool,
    report: Path | None,
    env_file: Path | None,
    secrets_dir: Path | None,
    as_json: bool,
) -> None:
    """Reads the records between two times again, and makes the calls that were not made.

    Times are those of the records. A call that succeeded, or was superseded, is never made again: the ledger knows it.
    So a replay is safe while workers run, and may be run twice. It has a consumer group of its own, the workers' group
    stays where it is, and live traffic goes first on the budget of calls (WORKER_ROKT__MAX_CALLS_PER_SECOND).

    Begin with --dry-run: it reads the stretch, asks the ledger, and says what would become of each event, which calls
    would be made, and how long that would take.

    The stretch is fixed when the replay begins, and is kept in the ledger with how far it has come. Ctrl-C stops it;
    the same command line again resumes it, also on another machine, and several at once share the work. One that is
    finished only shows its report: --name with another name runs it anew.

    Standard error says how far it is, and what it waits for; the log is there too, warnings only unless
    WORKER_LOG__LEVEL is set.

    With --cart or --order all other events are passed over. A cancel that names no cart is found by its order only.

    Exit codes: 0 done; 1 failed, or what is asked for is not there; 2 wrong use or settings; 130 stopped before its
    end.

    \b
    Examples:
      rokt-worker replay --since 2026-11-17 --until 2026-11-18 --dry-run --env-file worker.env
      rokt-worker replay --since 2026-11-17 --until 2026-11-18 --rate 20 --report tuesday.json --env-file worker.env
      rokt-worker replay --since 2026-11-17T09:00:00Z --order order-4711 --again --env-file worker.env
    """
    from worker import loading
    from worker.commands import replay_options as typed
    from worker.stream import config

    options = typed.Options(
        since, until, topics, partitions, carts, orders, dry_run, rate, again, name, beyond_ledger, report
    )
    typed.check_report(report)
    settings = loading.load(os.environ, env_file, secrets_dir)
    if not dry_run:
        loading.telemetry(os.environ, env_file)
    now_ms = int(time.time() * 1000)
    sources = list(config.event_types(settings.topics))
    wanted = typed.wanted(options, sources, settings.ledger.retention_days, now_ms)
    called = typed.name_of(options, wanted)
    speech = Speech(as_json=as_json)
    try:
        (_try if dry_run else _run)(settings, wanted, called, options, speech)
    except CannotReplay as error:
        if error.wrong_use:
            raise click.UsageError(f"{error}; {error.mend}.") from None
        raise


def _try(settings: Settings, wanted: Wanted, name: str, options: Options, speech: Speech) -> None:
    from worker.commands import replay_screen as screen
    from worker.replay import forecast as foreseen

    plan, found = asyncio.run(_until_told(_tried(settings, wanted, name, speech)))
    rokt = settings.rokt
    limits = foreseen.Limits(options.rate, rokt.max_calls_per_second, at_once(rokt.max_concurrency))
    takes = foreseen.estimate(found, limits)
    told = foreseen.document(plan, found, takes)
    _write(options.report, told, speech)
    speech.answer(told, *screen.planned(plan), "", *screen.expected(found, takes, plan))


async def _tried(settings: Settings, wanted: Wanted, name: str, speech: Speech) -> tuple[Plan, Forecast]:
    from structlog import get_logger

    from worker import parts
    from worker.commands import replay_screen as screen
    from worker.decode.decoder import Decoder
    from worker.replay.dry_run import dry_run
    from worker.stream import config

    store, registry = parts.store(settings.ledger), parts.registry(settings.registry)
    try:
        with speech.waiting("planning") as tell:
            plan = await _planned(settings, wanted, name, store, speech, tell)
            gc.freeze()
            gc.set_threshold(50_000, 20, 100)  # as the worker has it
            decoder = Decoder(config.event_types(settings.topics), registry)

            def come(found: Forecast) -> None:
                tell(
                    f"dry run: {screen.of(found.read, plan.offsets, 'records')}, {found.calls.total():,} calls to make"
                )

            return plan, await dry_run(plan, config.reading_config(settings.kafka, get_logger()), decoder, store, come)
    finally:
        await store.close()
        if registry is not None:
            await registry.close()


def _run(settings: Settings, wanted: Wanted, name: str, options: Options, speech: Speech) -> None:
    from worker.commands import replay_screen as screen
    from worker.replay.report import Report, document
    from worker.replay.running import run

    plan, come = asyncio.run(_until_told(_begun(settings, wanted, name, speech)))
    if not plan.stretches:
        speech.remark("There is nothing to replay.")
    elif come.finished:
        speech.remark(f"The replay {name} is finished already; to run it anew, give --name with another name.")
    else:
        watch = screen.Watch(plan)
        with speech.waiting("joining") as tell:
            come = run(
                Request(plan, options.rate), _quiet(settings, speech), lambda progress: tell(watch.line(progress))
            )
    report = Report(plan, come)
    told = document(report)
    _write(options.report, told, speech)
    speech.answer(told, *screen.reported(report))
    if not report.come.finished:
        speech.remark("Stopped before its end: the same command line goes on with it.")
        sys.exit(INTERRUPTED)


def _quiet(settings: Settings, speech: Speech) -> Settings:
    """A log that says no more than what is wrong, to a person in words, unless it was set otherwise."""
    given = settings.log.model_fields_set
    wanted = {"level": "warning"} | ({"format": "console"} if speech.to_people else {})
    fitting = {name: value for name, value in wanted.items() if name not in given}
    return settings.model_copy(update={"log": settings.log.model_copy(update=fitting)})


async def _begun(settings: Settings, wanted: Wanted, name: str, speech: Speech) -> tuple[Plan, Come]:
    """The plan, kept from now on, and how far it has come. No ledger is made where none is: it would know no call."""
    from worker import parts
    from worker.replay.keeping import keep_first
    from worker.replay.progress import come

    looking, store = parts.store(settings.ledger), parts.store(settings.ledger)
    try:
        with speech.waiting("planning") as tell:
            plan = await _planned(settings, wanted, name, looking, speech, tell)
            if not plan.stretches:
                return plan, Come(finished=True)
            await store.open()
            plan = await keep_first(store, plan)
            return plan, await come(store, plan)
    finally:
        await looking.close()
        await store.close()


async def _planned(
    settings: Settings, wanted: Wanted, name: str, store: Store, speech: Speech, tell: Callable[[str], None]
) -> Plan:
    from worker.commands import replay_screen as screen
    from worker.replay.planning import planned

    await store.attach()
    made = await planned(wanted, name, settings, store, int(time.time() * 1000), tell)
    for remark in (*made.remarks, *screen.warnings(made.plan)):
        speech.remark(remark)
    return made.plan


async def _until_told(work: Coroutine[Any, Any, T]) -> T:
    """Ends the process at Ctrl-C: a thread may still wait in a library for who does not answer."""
    try:
        return await work
    except asyncio.CancelledError:
        leave(INTERRUPTED)


def _write(path: Path | None, told: Mapping[str, Any], speech: Speech) -> None:
    """The answer is said all the same when the file cannot be written."""
    from worker.replay.report import write

    if path is None:
        return
    try:
        write(path, json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        speech.remark(f"--report {path}: cannot be written ({error.strerror})")
