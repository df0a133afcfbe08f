"""Both kinds of broker keep what a scenario relies on."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from infra.brokers import Broker, Position, Progress, fresh


@pytest.fixture
def topic(broker: Broker) -> str:
    name = fresh("alike")
    broker.create_topics(name)
    return name


def test_a_record_comes_back_as_it_was_written(broker: Broker, topic: str) -> None:
    headers: list[tuple[str, str | bytes | None]] = [("twice", "a"), ("trace", b"1"), ("twice", "b"), ("empty", None)]
    where = broker.produce(topic, b"value", key=b"key", headers=headers, partition=2, timestamp=1_700_000_000_123)
    [record] = broker.read(topic, want=1)
    assert where == Position(topic, 2, 0)
    assert (record.topic, record.partition, record.offset) == where
    assert (record.key, record.value, record.timestamp) == (b"key", b"value", 1_700_000_000_123)
    assert record.headers == (("twice", b"a"), ("trace", b"1"), ("twice", b"b"), ("empty", None))
    assert record.header("twice") == b"b"
    assert record.header("absent") is None


def test_a_tombstone_has_no_value(broker: Broker, topic: str) -> None:
    broker.produce(topic, None, key="cart")
    assert broker.read(topic, want=1)[0].value is None


def test_a_key_has_one_partition_and_its_records_keep_their_order(broker: Broker, topic: str) -> None:
    written = [broker.produce(topic, str(number), key="cart") for number in range(5)]
    assert len({position.partition for position in written}) == 1
    assert [position.offset for position in written] == [0, 1, 2, 3, 4]
    assert [record.value for record in broker.read(topic, want=5)] == [b"0", b"1", b"2", b"3", b"4"]


def test_reading_shows_more_than_was_wanted_and_ends_when_less_comes(broker: Broker, topic: str) -> None:
    for number in range(3):
        broker.produce(topic, str(number), partition=number)
    assert len(broker.read(topic, want=1)) == 3
    assert len(broker.read(topic)) == 3
    assert len(broker.read(topic, want=4, timeout=0.5)) == 3
    assert broker.read(fresh("absent")) == []


@pytest.mark.parametrize("partitions", [1, 4, 7])
def test_a_topic_has_the_partitions_it_was_made_with(broker: Broker, partitions: int) -> None:
    name = fresh("partitions")
    broker.create_topics(name, partitions=partitions)
    assert broker.committed("nobody", name) == dict.fromkeys(range(partitions), Progress(0, 0))


def test_a_group_takes_up_where_it_committed(broker: Broker, topic: str) -> None:
    group = fresh("group")
    for number in range(3):
        broker.produce(topic, str(number), partition=0)
    settings = {**broker.client_settings, "bootstrap.servers": broker.bootstrap, "group.id": group}
    consumer = Consumer({**settings, "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe([topic])
    try:
        taken = consumer.consume(3, timeout=20)
        assert [message.value() for message in taken] == [b"0", b"1", b"2"]
        consumer.commit(offsets=[TopicPartition(topic, 0, 2)], asynchronous=False)
    finally:
        consumer.close()
    assert broker.committed(group, topic)[0] == Progress(committed=2, end=3)


def test_what_was_acknowledged_outlives_a_crash(broker: Broker, topic: str) -> None:
    if not broker.restartable:
        pytest.skip("a given Kafka is not ours to kill")
    before = broker.produce(topic, b"before", partition=0)
    broker.kill()
    with pytest.raises((KafkaException, TimeoutError)):
        broker.committed("nobody", topic, timeout=1)
    broker.restart()
    after = broker.produce(topic, b"after", partition=0)
    assert [record.value for record in broker.read(topic, want=2)] == [b"before", b"after"]
    assert (before.offset, after.offset) == (0, 1)


def test_the_real_one_is_an_apache_kafka_4(kafka: Broker) -> None:
    assert kafka.version.startswith("4.")
