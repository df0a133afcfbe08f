"""`rokt-worker doctor`: all is well, or each thing that is wrong is named with its mend and hides no other."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from infra.brokers import Broker
from infra.commands import Said, environment, rokt_worker
from infra.kafka_api import delete_topics, set_on_topic
from infra.ports import free_port
from infra.postgres import Postgres
from infra.registry import Registry
from infra.rokt import Rokt
from infra.worker import API_KEY, TAG_ID, Worker, until
from worker.sandbox.app import Settings
from worker.sandbox.requests import Credentials

Lines = dict[str, list[dict[str, Any]]]


@pytest.fixture
def rokt() -> Iterator[Rokt]:
    """One that takes our credentials and no others."""
    server = Rokt(Settings(credentials=Credentials(API_KEY, TAG_ID)))
    yield server
    server.stop()


@pytest.fixture
def worker(kafka: Broker, rokt: Rokt, tmp_path: Path) -> Iterator[Worker]:
    """Not started; its topics are there as `rokt-worker topics --create` makes them."""
    process = Worker(kafka, rokt.url, tmp_path)
    assert rokt_worker("topics", "--create", "--partitions", "2", settings=process.settings, folder=tmp_path).code == 0
    yield process
    process.end()
    delete_topics(kafka.bootstrap, [*process.sources, *(f"{topic}.dlq" for topic in process.sources), process.outcomes])


def doctor(worker: Worker, *arguments: str, **settings: str) -> Said:
    said = rokt_worker("doctor", *arguments, settings=worker.settings | settings, folder=worker.folder)
    assert API_KEY not in said.out + said.err
    assert "canary" not in said.out + said.err
    return said


def examined(worker: Worker, **settings: str) -> Lines:
    """The lines that are not green, by their check; the exit code fits them."""
    said = doctor(worker, "--json", **settings)
    lines: Lines = {}
    for line in said.document:
        assert set(line) == {"check", "state", "what", "mend"}
        assert bool(line["mend"]) == (line["state"] != "green")
        if line["state"] != "green":
            lines.setdefault(line["check"], []).append(line)
    assert said.code == int(any(line["state"] == "red" for found in lines.values() for line in found))
    return lines


def test_all_is_well(worker: Worker, registry: Registry) -> None:
    said = doctor(worker, WORKER_REGISTRY__URL=registry.url)
    assert (said.code, said.err) == (0, "")
    checks = {line.split()[1] for line in said.out.splitlines()}
    assert checks >= {"settings", "brokers", "source", "dead-letter", "outcomes", "group", "registry", "ledger", "rokt"}
    assert all(line.startswith("green  ") for line in said.out.splitlines())
    assert said.out.isascii()


def test_the_ledger_is_not_made_by_looking(worker: Worker) -> None:
    assert examined(worker) == {}
    assert not (worker.folder / "ledger.db").exists()


@pytest.mark.parametrize("suffix", ["", ".dlq"])
def test_a_missing_topic(kafka: Broker, worker: Worker, suffix: str) -> None:
    delete_topics(kafka.bootstrap, [worker.cancelled + suffix])
    ((check, (line,)),) = examined(worker).items()
    assert check == ("dead-letter topics" if suffix else "source topics")
    assert (line["state"], line["mend"]) == ("red", "rokt-worker topics --create")
    assert worker.cancelled + suffix in line["what"]


def test_dead_letters_that_go_with_their_events(kafka: Broker, worker: Worker) -> None:
    set_on_topic(kafka.bootstrap, f"{worker.completed}.dlq", "retention.ms", "86400000")
    ((check, (line,)),) = examined(worker).items()
    assert (check, line["state"]) == ("dead-letter topics", "red")
    assert "retention.ms" in line["mend"]


def test_a_ledger_that_forgets_before_the_topics_do(worker: Worker) -> None:
    lines = examined(worker, WORKER_LEDGER__RETENTION_DAYS="2")["source topics"]
    assert [line["state"] for line in lines] == ["red", "red", "red"]
    assert "WORKER_LEDGER__RETENTION_DAYS" in lines[0]["mend"]


def test_a_wrong_key(worker: Worker) -> None:
    ((check, (line,)),) = examined(worker, WORKER_ROKT__API_KEY="canary-of-another").items()
    assert (check, line["state"]) == ("rokt", "red")
    assert "WORKER_ROKT__API_KEY" in line["mend"]


def test_a_wrong_base_url(worker: Worker, rokt: Rokt) -> None:
    ((check, (line,)),) = examined(worker, WORKER_ROKT__BASE_URL=f"{rokt.url}/elsewhere").items()
    assert (check, line["state"]) == ("rokt", "red")
    assert "404" in line["what"]
    assert "WORKER_ROKT__BASE_URL" in line["mend"]


def test_rokt_down_is_not_our_fault(worker: Worker, rokt: Rokt) -> None:
    rokt.faults(errors={"503": 1.0})
    ((check, (line,)),) = examined(worker).items()
    assert (check, line["state"]) == ("rokt", "yellow")


def test_nothing_that_answers_at_all(worker: Worker) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    lines = examined(
        worker,
        WORKER_KAFKA__BOOTSTRAP_SERVERS=nobody,
        WORKER_REGISTRY__URL=f"http://{nobody}",
        WORKER_ROKT__BASE_URL=f"http://{nobody}",
        WORKER_LEDGER__URL=f"postgresql://user:canary-password@{nobody}/db",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://user:canary-password@{nobody}",
    )
    assert set(lines) == {"brokers", "registry", "rokt", "ledger", "traces", "metrics"}
    assert "Connection refused" in lines["brokers"][0]["what"]
    collectors = ("traces", "metrics")
    assert [found[0]["state"] for check, found in lines.items() if check not in collectors] == ["red"] * 4
    assert {lines[check][0]["state"] for check in collectors} == {"yellow"}


def test_who_takes_connections_and_never_answers_is_not_waited_for(worker: Worker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nobody = f"127.0.0.1:{silent.getsockname()[1]}"
        said = doctor(
            worker,
            *("--json", "--timeout", "1"),
            WORKER_KAFKA__BOOTSTRAP_SERVERS=nobody,
            WORKER_REGISTRY__URL=f"http://{nobody}",
            WORKER_ROKT__BASE_URL=f"http://{nobody}",
            WORKER_LEDGER__URL=f"postgresql://user:canary-password@{nobody}/db",
        )
    red = {line["check"] for line in said.document if line["state"] == "red"}
    assert (said.code, red) == (1, {"brokers", "registry", "rokt", "ledger"})


@pytest.mark.parametrize("command", [["doctor"], ["topics", "--check"]], ids=lambda command: command[0])
def test_ctrl_c_ends_it_without_a_word(worker: Worker, command: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = worker.settings | {"WORKER_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{silent.getsockname()[1]}"}
        process = subprocess.Popen(
            [sys.executable, "-m", "worker", *command, "--json"],
            env=environment(settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        silent.settimeout(30)
        try:
            silent.accept()[0].close()  # it has begun to ask
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=30)
        finally:
            process.kill()
            process.communicate()
    assert (process.returncode, said) == (130, b"")


def test_properties_that_the_client_refuses_hide_nothing_else(worker: Worker) -> None:
    lines = examined(
        worker, WORKER_KAFKA__PROPERTIES='{"security.protocol": "canary"}', WORKER_ROKT__API_KEY="canary-2"
    )
    assert set(lines) == {"brokers", "rokt"}
    assert "WORKER_KAFKA__PROPERTIES" in lines["brokers"][0]["what"]


def test_a_ledger_of_a_later_version(worker: Worker) -> None:
    with closing(sqlite3.connect(worker.folder / "ledger.db")) as connection:
        connection.execute("PRAGMA user_version = 1000")
    ((check, (line,)),) = examined(worker).items()
    assert (check, line["state"]) == ("ledger", "red")
    assert "later version" in line["what"]


def test_a_ledger_in_postgres(worker: Worker, postgres: Postgres) -> None:
    url = postgres.fresh_database()
    assert examined(worker, WORKER_LEDGER__URL=url) == {}
    name = url.rsplit("/", 1)[1]
    assert postgres.sql("SELECT to_regclass('ledger_schema')", name)[0][0] is None, "looking made the tables"

    postgres.sql("CREATE TABLE ledger_schema (version integer NOT NULL)", name)
    postgres.sql("INSERT INTO ledger_schema VALUES (1000)", name)
    assert "later version" in examined(worker, WORKER_LEDGER__URL=url)["ledger"][0]["what"]

    wrong = postgres.url(name, password="canary-password")
    assert "password" in examined(worker, WORKER_LEDGER__URL=wrong)["ledger"][0]["mend"]


def test_a_producers_schema_that_cannot_be_read(worker: Worker, registry: Registry) -> None:
    named = {"type": "record", "name": "OrderCancelled", "namespace": "partner.orders.v1"}
    schema = json.dumps(named | {"fields": [{"name": "eventId", "type": "string"}]})
    registry.encode(worker.cancelled, {"eventId": "e"}, schema)
    ((check, (line,)),) = examined(worker, WORKER_REGISTRY__URL=registry.url).items()
    assert (check, line["state"]) == ("source schemas", "red")
    assert f"{worker.cancelled}-value" in line["what"]
    assert "is not written, and has no default" in line["what"]


def test_outcomes_that_nobody_registers(worker: Worker, registry: Registry) -> None:
    lines = examined(worker, WORKER_REGISTRY__URL=registry.url, WORKER_REGISTRY__AUTO_REGISTER="false")
    assert set(lines) == {"outcomes schema"}
    assert "rokt-outcomes.avsc" in lines["outcomes schema"][0]["mend"]


def test_more_workers_than_partitions(worker: Worker) -> None:
    for _ in range(3):
        worker.start(WORKER_TOPICS__ORDER_CANCELLED=worker.completed, WORKER_TOPICS__CART_ABANDONED=worker.completed)
    one_topic = {
        "WORKER_TOPICS__ORDER_CANCELLED": worker.completed,
        "WORKER_TOPICS__CART_ABANDONED": worker.completed,
    }

    def idle() -> bool:
        found = examined(worker, **one_topic).get("group", [])
        return any("3 workers for 2 partitions: 1 without any" in line["what"] for line in found)

    assert until(idle, 60)


def test_settings_that_nothing_can_be_asked_with_are_exit_code_2(worker: Worker) -> None:
    said = doctor(worker, WORKER_KAFKA__GROUPID="x", WORKER_RETRY__MAX_SECONDS="soon")
    assert said.code == 2
    assert [line.split()[:2] for line in said.out.splitlines()] == [["red", "settings"]] * 2
    assert "WORKER_KAFKA__GROUP_ID" in said.out
