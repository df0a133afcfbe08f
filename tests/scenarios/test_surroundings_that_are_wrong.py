"""No settings, wrong settings, no broker: a clear message with the mend, never a traceback, never a secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.brokers import Broker
from infra.ports import free_port
from infra.rokt import Rokt
from infra.worker import API_KEY, Worker, until

GOOD = {
    "WORKER_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "WORKER_ROKT__API_KEY": API_KEY,
    "WORKER_ROKT__TAG_ID": "tag",
}


def _run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("WORKER_", "OTEL_"))}
    return subprocess.run(
        [sys.executable, "-m", "worker", "run", *arguments],
        env=environment | settings,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_without_settings_each_one_that_is_needed_is_named() -> None:
    done = _run()
    assert done.returncode == 2
    for name in GOOD:
        assert name in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"WORKER_KAFKA__GROUPID": "x"}, "WORKER_KAFKA__GROUP_ID"),
        ({"WORKER_RETRY__MAX_SECONDS": "soon"}, "'soon'"),
        ({"WORKER_ROKT__BASE_URL": "api.rokt.com"}, "http://"),
        ({"WORKER_KAFKA__PROPERTIES": '{"sasl.pasword": "canary-secret"}'}, "sasl.pasword"),
        ({"WORKER_KAFKA__PROPERTIES": '{"security.protocol": "canary-secret"}'}, "security.protocol"),
        ({"WORKER_KAFKA__PROPERTIES": "canary-secret"}, "a JSON object"),
        ({"WORKER_KAFKA__PROPERTIES": '{"acks": 1}'}, "acks cannot be changed"),
        ({"OTEL_TRACES_EXPORTER": "carrier-pigeon"}, "OTEL_TRACES_EXPORTER"),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "0", "OTEL_METRICS_EXPORTER": "otlp"}, "OTEL_METRIC_EXPORT_INTERVAL"),
        ({"OTEL_METRICS_EXEMPLAR_FILTER": "some"}, "OTEL_METRICS_EXEMPLAR_FILTER"),
        ({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "few"}, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"),
        ({"WORKER_ROKT__CA_LOCATION": "nowhere.pem"}, "WORKER_ROKT__CA_LOCATION"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_setting_stops_the_start_and_is_named(wrong: dict[str, str], said: str) -> None:
    done = _run(**GOOD | wrong)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr


def test_a_missing_env_file_is_named(tmp_path: Path) -> None:
    done = _run("--env-file", str(tmp_path / "nowhere.env"))
    assert done.returncode == 2
    assert "nowhere.env" in done.stderr


def test_a_broker_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker", "run"],
            env=os.environ | GOOD | {"WORKER_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"},
            stdout=log,
            stderr=log,
            cwd=tmp_path,
        )
    try:
        assert until(lambda: "kafka.brokers_down" in (tmp_path / "log").read_text())
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
    said = (tmp_path / "log").read_text()
    assert "check WORKER_KAFKA__BOOTSTRAP_SERVERS" in said
    assert "Traceback" not in said
    assert API_KEY not in said


@pytest.fixture
def lonely(kafka: Broker, rokt: Rokt, tmp_path: Path) -> Iterator[Worker]:
    """A worker without topics, on the broker that does not make them by itself."""
    process = Worker(kafka, rokt.url, tmp_path)
    yield process
    process.end()


def test_a_topic_that_is_not_there_is_waited_for(kafka: Broker, lonely: Worker) -> None:
    kafka.create_topics(*lonely.sources[1:], lonely.outcomes)
    soon = kafka.client_settings | {"topic.metadata.propagation.max.ms": 2000}
    lonely.start(WORKER_KAFKA__PROPERTIES=json.dumps(soon))
    assert until(lambda: lonely.lines("kafka.topic_missing"))
    assert lonely.lines("kafka.topic_missing")[0]["topic"] == lonely.completed
    kafka.create_topics(lonely.completed)
    kafka.produce(lonely.completed, json.dumps({}).encode())
    assert until(lambda: lonely.lines("kafka.write_waiting"), 60)
    assert f"{lonely.completed}.dlq" in lonely.lines("kafka.write_waiting")[0]["topic"]
    assert sum(p.committed for p in kafka.committed(lonely.group, lonely.completed).values()) == 0

    kafka.create_topics(f"{lonely.completed}.dlq")
    assert lonely.all_committed()
    assert len(kafka.read(f"{lonely.completed}.dlq", 1, 10)) == 1
    assert lonely.stop() == 0
