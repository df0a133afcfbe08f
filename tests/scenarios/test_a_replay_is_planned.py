"""`rokt-worker replay`: what a dry run says is what the run then does; and wrong use is said with what is allowed."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner

from infra.brokers import Broker
from infra.commands import Said, environment, rokt_worker
from infra.events import abandoned, cancelled, completed, encoded
from infra.rokt import Rokt
from infra.worker import Worker, tell, until
from worker.commands.replay import replay
from worker.demo.spans import Collector
from worker.ledger.sqlite import SqliteStore

MINUTE = 60_000
BASE = int(time.time() * 1000) - 60 * MINUTE


@pytest.fixture(autouse=True)
def _garbage_as_it_was() -> Iterator[None]:
    """A dry run sets this process's collector as a worker's is."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_a_dry_run_says_is_what_the_run_then_does(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    put(broker, worker.completed, "old", completed("old"), -10)
    put(broker, worker.completed, "ada", completed("ada"), 1)
    put(broker, worker.completed, "bob", completed("bob", items=2), 2)
    put(broker, worker.completed, "eve", completed("eve", roktSessionId=None), 3)
    put(broker, worker.abandoned, "cat", abandoned("cat"), 4)
    broker.produce(worker.completed, None, key="ada", timestamp=BASE + 5 * MINUTE)
    broker.produce(worker.completed, b'{"cartId": "ada', key="ada", timestamp=BASE + 6 * MINUTE)
    worker.start()
    assert worker.read_outcomes(5)
    assert worker.all_committed()
    assert worker.stop() == 0
    put(broker, worker.completed, "new", completed("new"), 10)
    put(broker, worker.completed, "new", completed("new"), 11)
    put(broker, worker.abandoned, "ada", abandoned("ada"), 12)
    put(broker, worker.cancelled, "bob", cancelled("bob", items=0), 13)
    put(broker, worker.completed, "late", completed("late"), 40)
    calls = len(rokt.calls())
    stretch = ("--since", at(0), "--until", at(30))

    dry = typed(worker, *stretch, "--dry-run", "--rate", "100", "--json").document
    assert dry["records"] == 10
    assert dry["expected"] == {
        "settledBefore": 5,
        "superseded": 1,
        "callsToMake": 2,
        "deadLettered": 1,
        "skipped": 1,
        "passedOver": 0,
    }
    assert dry["events"] == {"CheckoutCompleted": 5, "OrderCancelled": 1, "CartAbandoned": 2}
    assert dry["calls"]["toMake"] == {"confirm": 1, "cancel": 2, "release": 0}
    assert dry["calls"]["superseded"]["release"] == 1
    assert nonzero(dry["calls"]["settledBefore"]) == {"succeeded": 3, "rejected": 1}
    assert dry["calls"]["repeated"] == 1
    assert dry["deadLetters"] == {"undecodable": 1}
    assert dry["estimate"]["known"]
    assert any("--again" in hint for hint in dry["hints"])

    again = typed(worker, *stretch, "--dry-run", "--again", "--json").document
    assert again["calls"]["toMake"] == {"confirm": 2, "cancel": 2, "release": 0}
    some = typed(worker, *stretch, "--dry-run", "--cart", "ada", "--order", "order-bob", "--json").document
    assert (some["expected"]["passedOver"], sum(some["events"].values())) == (6, 4)
    assert len(rokt.calls()) == calls, "a dry run called Rokt"

    report = worker.folder / "report.json"
    done = said(worker, *stretch, "--report", str(report))
    assert "balanced" in done.out
    told = json.loads(report.read_text())
    assert told["balanced"]
    counted = {part: told[part] for part in ("settledBefore", "superseded", "succeeded", "deadLettered", "skipped")}
    assert counted == {"settledBefore": 5, "superseded": 1, "succeeded": 2, "deadLettered": 1, "skipped": 1}
    assert told["events"] == 9
    assert len(rokt.calls()) == calls + 3

    finished = typed(worker, *stretch, "--json")
    assert finished.document == told
    assert "finished already" in finished.err
    assert len(rokt.calls()) == calls + 3


def test_a_replay_that_is_stopped_says_so_and_goes_on_with_the_same_command_line(
    broker: Broker, worker: Worker, rokt: Rokt
) -> None:
    make_ledger(worker)
    rokt.faults(timeout_before=1, hang_seconds=60)
    put(broker, worker.completed, "ada", completed("ada"), 1)
    put(broker, worker.completed, "bob", completed("bob"), 2)
    process = subprocess.Popen(
        [sys.executable, "-m", "worker", "replay", "--since", at(0), "--json"],
        env=environment(worker.settings | {"WORKER_SHUTDOWN__DRAIN_SECONDS": "0"}),
        cwd=worker.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert until(rokt.calls)
        tell(process, signal.SIGINT)  # type: ignore[arg-type]
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "the same command line goes on" in err
    assert json.loads(out)["state"] != "finished"
    assert not json.loads(out)["balanced"]

    rokt.faults()
    put(broker, worker.completed, "late", completed("late"), 3)
    finished = said(worker, "--since", at(0), "--json")
    assert "stays as it was" in finished.err
    assert (finished.document["balanced"], finished.document["succeeded"], finished.document["offsets"]) == (True, 2, 2)


def test_what_is_not_there_is_told_and_no_ledger_is_made(broker: Broker, worker: Worker) -> None:
    for more in ([], ["--dry-run"]):
        answer = typed(worker, "--since", at(0), *more)
        assert (answer.code, "there is no ledger" in answer.err) == (1, True), answer
    assert not (worker.folder / "ledger.db").exists()
    make_ledger(worker)
    answer = typed(worker, "--since", at(0), "--partition", "99")
    assert (answer.code, "has partitions 0 to 1" in answer.err) == (2, True), answer
    answer = typed(worker, "--since", at(0), "--topic", "nope")
    assert (answer.code, worker.cancelled in answer.err) == (2, True), answer
    answer = typed(worker, "--since", at(0))
    assert (answer.code, "nothing to replay" in answer.err) == (0, True), answer
    worker.settings["WORKER_TOPICS__ORDER_CANCELLED"] = "nowhere"
    answer = typed(worker, "--since", at(0), "--dry-run")
    assert (answer.code, "there is no topic nowhere" in answer.err) == (1, True), answer


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_where_its_telemetry_goes_is_read_from_the_env_file_too(broker: Broker, worker: Worker) -> None:
    put(broker, worker.completed, "ada", completed("ada"), 1)
    make_ledger(worker)
    with Collector() as collector:
        env_file = worker.folder / "worker.env"
        env_file.write_text(f"OTEL_EXPORTER_OTLP_ENDPOINT={collector.url}\nOTEL_METRICS_EXPORTER=none\n")
        said(worker, "--since", at(0), "--env-file", str(env_file))
    assert f"process {worker.completed}" in {span.name for span in collector.spans}


def put(broker: Broker, topic: str, key: str, event: dict[str, Any], minutes: int) -> None:
    """An event in a record of so many minutes after `BASE`; in one partition, where times are in order."""
    broker.produce(topic, encoded(event), key=key, partition=0, timestamp=BASE + minutes * MINUTE)


def at(minutes: int) -> str:
    return datetime.fromtimestamp((BASE + minutes * MINUTE) / 1000, UTC).isoformat(timespec="milliseconds")


def make_ledger(worker: Worker) -> None:
    """One that knows no call, as a worker of this installation once made it."""

    async def make() -> None:
        store = SqliteStore(worker.folder / "ledger.db", timeout_seconds=5)
        await store.open()
        await store.close()

    asyncio.run(make())


def said(worker: Worker, *words: str) -> Said:
    """What a process says that does what it is told."""
    answer = rokt_worker("replay", *words, settings=worker.settings, folder=worker.folder)
    assert answer.code == 0, answer.err
    return answer


def typed(worker: Worker, *words: str) -> Said:
    """What the command says, in this process: quicker, for what ends without a run."""
    result = CliRunner().invoke(replay, list(words), env=worker.settings)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


def nonzero(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}
