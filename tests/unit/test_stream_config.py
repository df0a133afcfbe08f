"""librdkafka's properties, and which event each topic is configured for."""

import io
from typing import Any

import pytest
from confluent_kafka import KafkaError

from worker.errors import SettingsError
from worker.settings import KafkaSettings, TopicSettings
from worker.stream import config
from worker.telemetry import logs

CANARY = "canary-7f3a"


def nothing(_: KafkaError) -> None:
    return


def consumer(**properties: str | int | bool) -> dict[str, object]:
    return config.consumer_config(settings(**properties), logs.configure("json", "error", io.StringIO()), nothing)


def producer(**properties: str | int | bool) -> dict[str, object]:
    return config.producer_config(settings(**properties), logs.configure("json", "error", io.StringIO()), nothing)


def settings(**properties: str | int | bool) -> KafkaSettings:
    named = {name.replace("_", "."): value for name, value in properties.items()}
    return KafkaSettings(bootstrap_servers="127.0.0.1:1", properties=named)


@pytest.fixture(autouse=True)
def _the_process_log_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_libraries_too", lambda *_: None)


def test_each_topic_has_the_event_that_it_is_configured_for() -> None:
    assert config.event_types(TopicSettings(checkout_completed=("a", "b"), order_cancelled=("c",))) == {
        "a": "CheckoutCompleted",
        "b": "CheckoutCompleted",
        "c": "OrderCancelled",
        "cart-abandoned": "CartAbandoned",
    }


def test_a_topic_that_is_configured_for_several_events_has_no_event_of_its_own() -> None:
    all_in_one = TopicSettings(checkout_completed=("a",), order_cancelled=("a", "b"), cart_abandoned=("a", "b", "b"))
    assert config.event_types(all_in_one) == {"a": None, "b": None}
    twice = TopicSettings(checkout_completed=("a", "a"), order_cancelled=("b",), cart_abandoned=("c",))
    assert config.event_types(twice)["a"] == "CheckoutCompleted"


def test_offsets_are_committed_by_the_worker_alone() -> None:
    made = consumer()
    assert (made["enable.auto.commit"], made["enable.auto.offset.store"]) == (False, False)
    assert made["group.id"] == "rokt-worker"
    assert made["bootstrap.servers"] == "127.0.0.1:1"


def test_a_written_record_is_acknowledged_by_all_replicas() -> None:
    made = producer()
    assert (made["enable.idempotence"], made["acks"]) == (True, "all")


def test_any_librdkafka_property_of_the_operators_comes_before_our_defaults() -> None:
    given: dict[str, Any] = {"security_protocol": "SSL", "linger_ms": 50}
    assert producer(**given)["linger.ms"] == 50
    assert consumer(**given)["security.protocol"] == "SSL"


@pytest.mark.parametrize("value", ["latest", "LARGEST", "end"])
def test_what_is_begun_at_its_end_is_read_from_its_start_where_records_were_lost(value: str) -> None:
    assert consumer(auto_offset_reset=value)["auto.offset.reset"] == "earliest"
    assert config.beginning(settings(auto_offset_reset=value)).at_the_end


@pytest.mark.parametrize("value", ["earliest", "smallest", "error", "sometimes"])
def test_any_other_reset_is_the_client_librarys(value: str) -> None:
    assert consumer(auto_offset_reset=value)["auto.offset.reset"] == value
    assert not config.beginning(settings(auto_offset_reset=value)).at_the_end


def test_partitions_change_hands_within_a_heartbeat_of_a_second_or_of_what_is_asked_for() -> None:
    assert (consumer()["heartbeat.interval.ms"], consumer(heartbeat_interval_ms=500)["heartbeat.interval.ms"]) == (
        1_000,
        500,
    )
    assert "heartbeat.interval.ms" not in consumer(group_protocol="consumer"), "there it is the brokers' affair"


def test_an_eager_strategy_is_known_as_one() -> None:
    assert not config.beginning(settings()).eager
    assert config.beginning(settings(partition_assignment_strategy="range,roundrobin")).eager
    assert not config.beginning(settings(partition_assignment_strategy="cooperative-sticky")).eager
    assert not config.beginning(settings(partition_assignment_strategy="range", group_protocol="consumer")).eager


def test_the_new_group_protocol_can_be_asked_for() -> None:
    made = consumer(group_protocol="consumer")
    assert made["group.protocol"] == "consumer"
    assert "partition.assignment.strategy" not in made
    config.check(made, producer(group_protocol="consumer"))


def test_properties_that_the_client_takes_are_no_mistake() -> None:
    config.check(consumer(), producer())


@pytest.mark.parametrize(
    "properties",
    [
        {"no_such_property": CANARY},
        {"security_protocol": CANARY},
        {"fetch_min_bytes": CANARY},
        {"debug": CANARY},
        {"debug": CANARY * 60},
        {"sasl_password": CANARY, "linger_ms": "soon"},
        {"sasl_password": CANARY, "security_protocol": "SASL_SSL", "sasl_mechanism": "MAGIC"},
    ],
)
def test_a_property_that_the_client_does_not_take_stops_the_start_without_showing_values(
    properties: dict[str, str],
) -> None:
    with pytest.raises(SettingsError) as error:
        config.check(consumer(**properties), producer(**properties))
    assert "WORKER_KAFKA__PROPERTIES" in str(error.value)
    assert CANARY not in str(error.value)


def test_a_client_that_is_to_say_nothing_says_nothing_of_what_debug_asks_for() -> None:
    made = config.quiet(consumer(debug="conf"))
    assert made["log_level"] == 0
    assert not {"debug", "logger"} & made.keys()


def test_a_name_makes_the_membership_static_and_is_the_consumers_alone() -> None:
    named = KafkaSettings(bootstrap_servers="127.0.0.1:1", instance_id="worker-0")
    log = logs.configure("json", "error", io.StringIO())
    assert config.consumer_config(named, log, nothing)["group.instance.id"] == "worker-0"
    assert "group.instance.id" not in config.producer_config(named, log, nothing)
    assert "group.instance.id" not in consumer()


def test_what_is_kept_secret_comes_before_the_other_properties_and_is_not_shown() -> None:
    given = KafkaSettings(
        bootstrap_servers="127.0.0.1:1",
        properties={"sasl.username": "worker", "sasl.password": "changed since"},
        secret_properties={"sasl.password": CANARY},
    )
    log = logs.configure("json", "error", io.StringIO())
    for made in (config.consumer_config(given, log, nothing), config.admin_config(given, log)):
        assert (made["sasl.username"], made["sasl.password"]) == ("worker", CANARY)
    assert CANARY not in repr(given)
