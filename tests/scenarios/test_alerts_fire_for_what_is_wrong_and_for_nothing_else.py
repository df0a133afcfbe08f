"""A real Prometheus scrapes a worker, by the alerts that are deployed: what is wrong fires, and nothing else does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.brokers import Broker
from infra.events import completed, encoded
from infra.observability import ALERTS, alerts, asked, rules
from infra.ports import free_port
from infra.prometheus import Prometheus, Scraping
from infra.rokt import Rokt
from infra.worker import Worker, until

JOB = "rokt-worker"
NEED_MORE = {"Retention left", "Replays: how far", "Replays: what became of the records"}
"""Panels that show nothing here: the embedded broker does not tell the retention, and no replay pushes its metrics."""
CARTS = [f"cart-{n}" for n in range(30)]
PAGES = {alert.name for alert in alerts() if alert.severity == "page"}
# The same alerts, which wait for three scrapes and look at five; what is looked at over an hour or a day stays so.
WAITS = re.compile(r"^( +for: )\d+m$", re.MULTILINE)
WINDOWS = re.compile(r"\[\d+m\]")
LONG_OPEN = 'max(rokt_circuit_open_duration_seconds{circuit="confirm"}) > 10'


@pytest.fixture
def port(worker: Worker) -> int:
    """Where the worker answers; it has begun, and is ready."""
    found = free_port()
    worker.start(WORKER_HEALTH__PORT=str(found), WORKER_HEALTH__HOST="127.0.0.1")
    assert until(lambda: ready(found))
    return found


@pytest.fixture
def scraping(prometheus: Prometheus, port: int, tmp_path: Path) -> Iterator[Scraping]:
    file = tmp_path / "alerts.yaml"
    file.write_text(WINDOWS.sub("[5s]", WAITS.sub(r"\g<1>3s", ALERTS.read_text())))
    server = prometheus.scraping(f"127.0.0.1:{port}", JOB, file)
    yield server
    server.remove()


def ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).is_success
    except httpx.TransportError:
        return False


def publish(broker: Broker, worker: Worker, carts: list[str]) -> None:
    for cart in carts:
        broker.produce(worker.completed, encoded(completed(cart)), key=cart)


def fires(scraping: Scraping, *names: str) -> bool:
    """Whether these fire in the end, and nothing else does."""
    return until(lambda: scraping.firing() == set(names))


def goes_on(scraping: Scraping) -> bool:
    """Whether the outage has been seen for so long that whatever follows from it had time to fire, and did not."""
    assert PAGES & scraping.firing() <= {"RoktDoesNotAnswer"}
    return bool(scraping.ask(LONG_OPEN))


def empty_panels(scraping: Scraping) -> set[str]:
    """Those of the dashboard that show nothing. Every expression is one that Prometheus can answer."""
    answers = [(title, scraping.ask(filled(expression))) for title, expression in asked()]
    return {title for title, _ in answers} - {title for title, answer in answers if answer}


def filled(expression: str) -> str:
    return expression.replace("$job", JOB).replace("$instance", ".+")


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_an_outage_and_an_unreadable_event_are_told_as_what_they_are(
    broker: Broker, worker: Worker, rokt: Rokt, scraping: Scraping
) -> None:
    publish(broker, worker, CARTS)
    assert until(lambda: scraping.ask(f"sum(rokt_events_settled_total) >= {len(CARTS)}"))
    assert until(lambda: scraping.ask("count_over_time(up[1m]) >= 5"))
    assert until(lambda: scraping.alerts() == [])
    evaluated = {rule["name"]: rule["health"] for rule in scraping.rules()}
    assert evaluated == {rule.name: "ok" for rule in rules()}

    rokt.faults(outage=True)
    publish(broker, worker, [f"late-{cart}" for cart in CARTS])
    assert until(lambda: "RoktDoesNotAnswer" in scraping.firing())
    assert until(lambda: goes_on(scraping))
    assert fires(scraping, "RoktDoesNotAnswer")

    broker.produce(worker.cancelled, b"neither Avro nor JSON", key="cart")
    assert fires(scraping, "RoktDoesNotAnswer", "RoktEventsUnreadable")
    [said] = [alert["annotations"]["description"] for alert in scraping.alerts() if "reason" in alert["labels"]]
    assert said == f"Dead letters of {worker.cancelled} within an hour, undecodable: 1."

    assert empty_panels(scraping) <= NEED_MORE

    rokt.faults()
    assert fires(scraping, "RoktEventsUnreadable")
    assert worker.all_committed()
    assert worker.stop() == 0
