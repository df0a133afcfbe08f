"""The schema registry keeps what a scenario relies on."""

from __future__ import annotations

import json
from typing import Any

import fastavro
import httpx
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from infra.brokers import fresh
from infra.registry import Registry


def schema(*fields: dict[str, Any]) -> str:
    return json.dumps({"type": "record", "name": fresh("E").replace("-", ""), "namespace": "t", "fields": fields})


@pytest.fixture
def topic() -> str:
    return fresh("orders")


ID = {"name": "id", "type": "string"}


def test_what_confluents_serializer_writes_its_deserializer_reads(registry: Registry, topic: str) -> None:
    written = registry.encode(topic, {"id": "one"}, schema(ID))
    assert written[0] == 0
    with SchemaRegistryClient({"url": registry.url}) as client:
        assert AvroDeserializer(client)(written, SerializationContext(topic, MessageField.VALUE)) == {"id": "one"}
        assert client.get_latest_version(f"{topic}-value").schema_id == int.from_bytes(written[1:5], "big")


def test_a_schema_has_one_id_and_another_schema_another(registry: Registry, topic: str) -> None:
    first, second = schema(ID), schema(ID, {"name": "more", "type": ["null", "string"], "default": None})
    ids = [registry.encode(topic, {"id": "x"}, text, fresh("subject"))[1:5] for text in (first, second, first)]
    assert ids[0] == ids[2] != ids[1]


def test_an_unknown_id_is_not_found(registry: Registry) -> None:
    with SchemaRegistryClient({"url": registry.url}) as client, pytest.raises(SchemaRegistryError) as refused:
        client.get_schema(2_000_000_000)
    assert refused.value.http_status_code == 404


def test_an_incompatible_schema_is_refused_where_the_subject_asks_for_it(registry: Registry, topic: str) -> None:
    subject = f"{topic}-value"
    name = schema(ID)
    with SchemaRegistryClient({"url": registry.url}) as client:
        client.register_schema(subject, Schema(name, "AVRO"))
        assert httpx.put(f"{registry.url}/config/{subject}", json={"compatibility": "BACKWARD"}).is_success
        without_default = json.loads(name) | {"fields": [ID, {"name": "must", "type": "string"}]}
        with pytest.raises(SchemaRegistryError) as refused:
            client.register_schema(subject, Schema(json.dumps(without_default), "AVRO"))
    assert refused.value.http_status_code == 409


def test_schemas_keep_their_ids_when_it_is_killed_and_comes_back(registry: Registry, topic: str) -> None:
    if not registry.restartable:
        pytest.skip("a given registry is not ours to kill")
    text = schema(ID)
    before = registry.encode(topic, {"id": "one"}, text)
    registry.kill()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{registry.url}/subjects")
    registry.restart()
    number = int.from_bytes(before[1:5], "big")
    found = httpx.get(f"{registry.url}/schemas/ids/{number}").json()["schema"]
    assert fastavro.parse_schema(json.loads(found)) == fastavro.parse_schema(json.loads(text))
    assert registry.encode(topic, {"id": "one"}, text) == before
