"""Wrong settings, surroundings that refuse, defects of the worker's own: named, with a mend, and nothing private."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import canaries
from infra.brokers import Broker
from infra.canaries import found
from infra.commands import Said, rokt_worker
from infra.events import encoded
from infra.ports import free_port
from infra.private_story import private
from infra.worker import Worker, until

NAMED = Path(__file__).parents[1]
COMMANDS = (
    *("run", "doctor", "topics", "explain ada", "dlq list", "replay --since 2026-11-01"),
    "placements --cart ada --page checkout",
)


@pytest.fixture
def nowhere() -> str:
    """An address at which nobody listens."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def worker(embedded: Broker, nowhere: str, tmp_path: Path) -> Iterator[Worker]:
    made = Worker(embedded, f"http://{nowhere}", tmp_path, WORKER_LOG__LEVEL="debug")
    made.settings["WORKER_ROKT__API_KEY"] = canaries.API_KEY
    yield made
    made.end()


def said_by(worker: Worker, *arguments: str, **settings: str) -> Said:
    return rokt_worker(*arguments, settings=worker.settings | settings, folder=worker.folder)


@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_settings_are_named_and_not_shown(worker: Worker, command: str) -> None:
    wrong = {
        "WORKER_ROKT__API_KEY": f"{canaries.API_KEY}\n",
        "WORKER_ROKT__BASE_URL": f"https://user:{canaries.API_KEY}@rokt.example",
        "WORKER_ROKT__APIKEY": canaries.API_KEY,
        "WORKER_ROKT": json.dumps({"api_key": canaries.API_KEY}),
        "WORKER_LEDGER__URL": f"mysql://user:{canaries.LEDGER_PASSWORD}@host/ledger",
        "WORKER_KAFKA__PROPERTIES": f'{{"sasl.password": "{canaries.SASL_PASSWORD}"',
        "WORKER_REGISTRY__PASWORD": canaries.REGISTRY_PASSWORD,
    }
    told = said_by(worker, *command.split(), **wrong)
    assert told.code == 2
    assert [name for name in wrong if name not in told.out + told.err] == []
    assert found(told.out + told.err) == set()
    assert found(json.dumps(wrong)) == canaries.SECRETS.keys() - {"the collector's key"}


@pytest.mark.parametrize("style", ["json", "console"])
def test_surroundings_that_refuse_are_named_without_what_opens_them(worker: Worker, nowhere: str, style: str) -> None:
    closed = {
        "WORKER_LOG__FORMAT": style,
        "WORKER_KAFKA__PROPERTIES": json.dumps(
            {
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "PLAIN",
                "sasl.username": "shop",
                "sasl.password": canaries.SASL_PASSWORD,
                "debug": "security,conf",
            }
        ),
        "WORKER_LEDGER__URL": f"postgresql://user:{canaries.LEDGER_PASSWORD}@{nowhere}/ledger",
        "WORKER_REGISTRY__URL": f"http://user:{canaries.REGISTRY_PASSWORD}@{nowhere}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://user:{canaries.OTLP_KEY}@{nowhere}/?key={canaries.OTLP_KEY}",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization: Bearer {canaries.OTLP_KEY}",
        "OTEL_METRIC_EXPORT_INTERVAL": "100",
        "WORKER_SHUTDOWN__DRAIN_SECONDS": "0.1",
    }
    worker.start(**closed)
    needed = ("ledger.waiting", "kafka.brokers_down", "Header format invalid!", "Transient error ConnectionError")
    assert until(lambda: all(each in worker.output() for each in needed)), worker.output()[-3000:]
    worker.stop()
    examined = said_by(worker, "doctor", "--timeout", "1", **closed)
    explained = said_by(worker, "explain", "ada", **closed)

    assert (examined.code, explained.code) == (1, 1)
    for text in (worker.output(), examined.out + examined.err, explained.out + explained.err):
        assert nowhere in text
        assert found(text) == set()


@pytest.mark.parametrize("where", ["mapping", "accepting", "reading", "ledger"])
def test_a_defect_is_said_with_its_place_and_not_over_what(worker: Worker, embedded: Broker, where: str) -> None:
    worker.create_topics()
    worker.command = [sys.executable, "-m", "infra.broken_worker", where, "run"]
    embedded.produce(worker.completed, encoded(private("ada")), key=canaries.KEY, headers=canaries.HEADERS)
    worker.start(PYTHONPATH=os.pathsep.join((str(NAMED), str(NAMED.parent))))
    assert until(lambda: "LookupError" in worker.output()), worker.output()[-3000:]
    worker.kill()
    assert "in broken" in worker.output()
    assert found(worker.output()) == set()
