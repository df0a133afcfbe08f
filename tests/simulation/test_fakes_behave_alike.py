"""What the simulated broker does, the embedded and the real one do: a run on one says something of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from infra.brokers import Broker
from simulation.stages import PARTITIONS, Closeable, SimulatedStage, Stage, TrueStage, Written
from worker.errors import DeliveryFailed
from worker.record import Record
from worker.stream.messages import from_message

SECONDS = 40.0
NEVER = -1001
ALL = list(range(PARTITIONS))


@pytest.fixture(params=["simulated", "embedded", pytest.param("kafka", marks=pytest.mark.real_kafka)])
def stage(request: pytest.FixtureRequest) -> Stage:
    if request.param == "simulated":
        return SimulatedStage()
    broker = request.getfixturevalue(request.param)
    assert isinstance(broker, Broker)
    return TrueStage(broker)


class Reader:
    """A member that notes what it is told. `leaving` is called in each revocation, with what is revoked."""

    def __init__(self, stage: Stage, name: str = "", told: list[tuple[str, str, list[int]]] | None = None) -> None:
        self.stage = stage
        self.answers: list[KafkaError | None] = []
        self.client: Closeable = stage.member(lambda error, _: self.answers.append(error))
        self.records: list[Record] = []
        self.owned: set[int] = set()
        self.handed_over: list[TopicPartition] = []
        self.leaving: Callable[[], None] = lambda: None
        self.refused: KafkaException | None = None
        self._name = name
        self._told: list[tuple[str, str, list[int]]] = [] if told is None else told
        self.client.subscribe(
            [stage.topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=lambda _, __: None
        )

    def turn(self) -> None:
        messages: Sequence[Message] = self.client.consume(100, 0.1)
        self.records += [from_message(message) for message in messages if message.error() is None]

    def until(self, condition: Callable[[], object], *others: Reader) -> None:
        """Turns, and the others with it, until it is so."""
        end = self.stage.clock() + SECONDS
        while not condition():
            assert self.stage.clock() < end, "it did not come to that"
            for reader in (self, *others):
                reader.turn()
                if reader.refused is not None:
                    raise reader.refused

    def commit(self, partition: int, offset: int, text: str = "") -> list[TopicPartition]:
        return self.client.commit(offsets=[self.place(partition, offset, text)], asynchronous=False)

    def commit_all(self, offset: int, text: str) -> None:
        for partition in sorted(self.owned):
            self.commit(partition, offset, text)

    def place(self, partition: int, offset: int = NEVER, text: str = "") -> TopicPartition:
        return TopicPartition(self.stage.topic, partition, offset, text)

    def _assigned(self, _: object, partitions: list[TopicPartition]) -> None:
        self.handed_over += self.client.committed(partitions, timeout=10.0) if partitions else []
        self.owned |= {p.partition for p in partitions}
        self._note("assigned", partitions)

    def _revoked(self, _: object, partitions: list[TopicPartition]) -> None:
        try:
            self.leaving()
        except KafkaException as error:  # what leaves a callback, the client library raises as what nobody can catch
            self.refused = error
        self.owned -= {p.partition for p in partitions}
        self._note("revoked", partitions)

    def _note(self, what: str, partitions: list[TopicPartition]) -> None:
        if partitions:
            self._told.append((self._name, what, sorted(p.partition for p in partitions)))


def test_what_was_acknowledged_is_read_as_it_was_written(stage: Stage) -> None:
    def script() -> None:
        headers = (("twice", b"a"), ("trace", b"1"), ("twice", b"b"), ("empty", None))
        stage.write(Written(b"value", b"key", headers, 1_700_000_000_123), Written(None, b"key"))
        reader = Reader(stage)
        reader.until(lambda: len(reader.records) == 2)
        reader.client.close()
        first, second = reader.records
        assert (first.key, first.value, first.headers) == (b"key", b"value", headers)
        assert first.timestamp_ms == 1_700_000_000_123
        assert (second.partition, second.offset, second.value) == (first.partition, 1, None)

    stage.play(script)


def test_a_record_that_is_too_large_is_refused_as_such(stage: Stage) -> None:
    def script() -> None:
        with pytest.raises(DeliveryFailed) as failed:
            stage.write(Written(bytes(2_000_000)))
        assert failed.value.too_large
        assert not failed.value.fatal

    stage.play(script)


def test_a_group_goes_on_where_it_committed_and_finds_the_text_that_was_left(stage: Stage) -> None:
    def script() -> None:
        stage.write(*(Written(str(n).encode(), b"key") for n in range(4)))
        first = Reader(stage)
        first.until(lambda: len(first.records) == 4)
        assert {p.offset for p in first.handed_over} == {NEVER}
        assert not any(p.metadata for p in first.handed_over)
        partition = first.records[0].partition
        assert [p.error for p in first.commit(partition, 2, "text")] == [None]
        first.client.close()
        second = Reader(stage)
        second.until(lambda: len(second.records) == 2)
        second.client.close()
        assert [record.offset for record in second.records] == [2, 3]
        [left] = [p for p in second.handed_over if p.partition == partition]
        assert (left.offset, left.metadata) == (2, "text")

    stage.play(script)


def test_an_asynchronous_commit_is_answered_in_a_later_turn(stage: Stage) -> None:
    def script() -> None:
        reader = Reader(stage)
        reader.until(lambda: reader.owned == set(ALL))
        reader.client.commit(offsets=[reader.place(0, 0)], asynchronous=True)
        assert reader.answers == []
        reader.until(lambda: reader.answers == [None])
        reader.client.close()

    stage.play(script)


def test_a_paused_partition_says_nothing_and_goes_on_where_it_stood(stage: Stage) -> None:
    def script() -> None:
        reader = Reader(stage)
        reader.until(lambda: reader.owned == set(ALL))
        places = [reader.place(partition) for partition in ALL]
        stage.write(Written(b"0", b"key"))
        reader.until(lambda: len(reader.records) == 1)
        reader.client.pause(places)
        stage.write(Written(b"1", b"key"), Written(b"2", b"key"))
        for _ in range(10):
            reader.turn()
        assert len(reader.records) == 1
        reader.client.resume(places)
        reader.until(lambda: len(reader.records) == 3)
        reader.client.close()
        assert [record.value for record in reader.records] == [b"0", b"1", b"2"]

    stage.play(script)


def test_a_second_member_gets_what_the_first_gave_up_and_the_first_keeps_the_rest(stage: Stage) -> None:
    def script() -> None:
        told: list[tuple[str, str, list[int]]] = []
        first = Reader(stage, "first", told)
        first.until(lambda: first.owned == set(ALL))
        first.leaving = lambda: first.commit_all(7, "left")
        second = Reader(stage, "second", told)
        second.until(lambda: second.owned, first)
        assert first.owned | second.owned == set(ALL)
        assert len(first.owned) == len(second.owned) == PARTITIONS // 2
        assert told == [
            ("first", "assigned", ALL),
            ("first", "revoked", sorted(second.owned)),
            ("second", "assigned", sorted(second.owned)),
        ]
        assert {(p.offset, p.metadata) for p in second.handed_over} == {(7, "left")}
        first.client.close()
        second.until(lambda: second.owned == set(ALL))
        second.client.close()
        assert told[-1] == ("second", "revoked", ALL)

    stage.play(script)


def test_a_paused_partition_is_still_paused_after_it_was_away(stage: Stage) -> None:
    """As worker/stream/pauses.py has it."""

    def script() -> None:
        first = Reader(stage)
        first.until(lambda: first.owned == set(ALL))
        first.client.pause([first.place(partition) for partition in ALL])
        second = Reader(stage)
        second.until(lambda: second.owned, first)
        second.client.close()
        first.until(lambda: first.owned == set(ALL))
        stage.write(*(Written(b"value", str(n).encode()) for n in range(20)))
        for _ in range(10):
            first.turn()
        quiet = set(ALL) - {record.partition for record in first.records}
        assert len(quiet) >= PARTITIONS // 2
        first.client.resume([first.place(partition) for partition in ALL])
        first.until(lambda: len(first.records) == 20)
        first.client.close()

    stage.play(script)
