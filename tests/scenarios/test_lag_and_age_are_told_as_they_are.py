"""What is measured of partitions, scraped from a worker: lag, age, and no event where there is none."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import pytest
from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families

from infra.brokers import Broker, fresh
from infra.events import completed, encoded
from infra.ports import free_port
from infra.rokt import Rokt
from infra.worker import Worker, until

LAG, AGE, LOST = "rokt_partition_lag", "rokt_partition_oldest_age_seconds", "rokt_worker_records_lost_total"
LEFT = "rokt_worker_retention_left_seconds"
OFTEN = {"WORKER_KAFKA__RETENTION_CHECK_SECONDS": "0.2"}


class Scraped:
    """A worker's metrics, asked for at its port."""

    def __init__(self, worker: Worker) -> None:
        port = free_port()
        self._url = f"http://127.0.0.1:{port}/metrics"
        worker.start(WORKER_HEALTH__PORT=str(port), WORKER_HEALTH__HOST="127.0.0.1", **OFTEN)

    def values(self, name: str, topic: str | None = None) -> Mapping[str, float]:
        """The series of a metric by partition; none while the worker does not answer yet."""
        try:
            text = httpx.get(self._url, timeout=5, trust_env=False).text
        except httpx.TransportError:
            return {}
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return {
            sample.labels.get("partition", ""): sample.value
            for sample in samples
            if sample.name == name and topic in (None, sample.labels.get("topic"))
        }


def test_what_waits_for_rokt_is_lag_with_an_age_and_is_none_once_it_is_settled(
    broker: Broker, worker: Worker, rokt: Rokt
) -> None:
    rokt.faults(outage=True)
    scraped = Scraped(worker)
    for n in range(10):
        broker.produce(worker.completed, encoded(completed(f"cart-{n}")), partition=n % 2)
    assert until(lambda: scraped.values(LAG, worker.completed) == {"0": 5, "1": 5})
    assert until(lambda: min(scraped.values(AGE, worker.completed).values()) > 0)

    rokt.faults()
    assert until(lambda: scraped.values(LAG, worker.completed) == {"0": 0, "1": 0})
    assert set(scraped.values(AGE, worker.completed).values()) == {0}
    assert scraped.values(LOST) == {"": 0}
    assert worker.stop() == 0


@pytest.mark.parametrize("broker", [pytest.param("kafka", marks=pytest.mark.real_kafka)], indirect=True)
def test_the_mark_that_ends_a_transaction_is_no_event_that_waits(broker: Broker, worker: Worker) -> None:
    shop = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": fresh("shop")})
    shop.init_transactions(30)
    shop.begin_transaction()
    shop.produce(worker.completed, encoded(completed("ada")), partition=0)
    shop.commit_transaction(30)
    scraped = Scraped(worker)
    [outcome] = worker.read_outcomes(1)
    assert outcome["cartId"] == "ada"

    assert until(lambda: scraped.values(LAG, worker.completed).get("0") == 0)
    assert scraped.values(AGE, worker.completed)["0"] == 0
    assert until(lambda: not scraped.values(LEFT))
    assert worker.all_committed()
    assert worker.stop() == 0
    assert worker.lines("kafka.retention_near") == []
