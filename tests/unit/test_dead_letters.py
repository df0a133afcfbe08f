"""A dead letter: the original, byte for byte, and why it is here."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from worker.mapping import Call, CallItem
from worker.record import Record
from worker.rokt.answers import Refused, read_answer
from worker.stream import dead_letters
from worker.verdict import Death, History, Settled, judge

NAMES = (
    "dlq.reason",
    "dlq.message",
    "dlq.exception",
    "dlq.http.status",
    "dlq.http.body",
    "dlq.attempts",
    "dlq.operation",
    "dlq.idempotency-key",
    "dlq.source.topic",
    "dlq.source.partition",
    "dlq.source.offset",
    "dlq.source.timestamp",
    "dlq.group",
    "dlq.failed-at",
    "dlq.redrives",
)
ORIGINAL: tuple[tuple[str, bytes | None], ...] = (
    ("traceparent", b"00-11111111111111111111111111111111-2222222222222222-01"),
    ("source", b"\x00\xff\xfe"),
    ("nothing", None),
    ("empty", b""),
    ("source", b"again"),
    ("", b"without a name"),
    ("dlq.reason", b"of an earlier life"),
    ("\u2603", b"snow"),
)
TRACE: tuple[tuple[str, bytes | None], ...] = (
    ("traceparent", b"00-33333333333333333333333333333333-4444444444444444-01"),
)
RECORD = Record("orders", 3, 42, b"key", b"value", ORIGINAL, 1795341600123)
DEATH = Death(
    reason="rejected",
    message="Rokt answered 422",
    exception="x.Y",
    http_status=422,
    http_body='{"description": "no"}',
    attempts=4,
    operation="confirm",
    key="370a9bfe-0b99-4436-8061-efa2d08c2a0a",
)
AT = datetime(2026, 11, 22, 10, 0, 0, 123_456, UTC)


def letter(
    record: Record = RECORD, death: Death = DEATH, *, at: datetime = AT, redrives: int = 0, brief: bool = False
) -> tuple[tuple[str, bytes | None], ...]:
    return dead_letters.headers(
        record, death, group="rokt-worker", failed_at=at, redrives=redrives, trace=TRACE, brief=brief
    )


def last(headers: tuple[tuple[str, bytes | None], ...]) -> dict[str, bytes | None]:
    """As consumers read them: where a name stands twice the last one counts."""
    return dict(headers)


def test_the_original_headers_come_first_byte_for_byte_with_nulls_and_repeated_names() -> None:
    assert letter()[: len(ORIGINAL)] == ORIGINAL


@pytest.mark.parametrize("death", [DEATH, Death("undecodable", "no JSON"), Death("nothing-to-cancel", "why")])
@pytest.mark.parametrize("brief", [False, True])
def test_every_header_of_the_contract_is_there_and_is_text(death: Death, brief: bool) -> None:
    ours = letter(death=death, brief=brief)[len(ORIGINAL) + len(TRACE) :]
    assert sorted(name for name, _ in ours) == sorted(NAMES)
    for _, value in ours:
        assert value is not None
        value.decode()


def test_the_headers_say_what_happened() -> None:
    told = last(letter())
    assert told["dlq.reason"] == b"rejected"
    assert told["dlq.message"] == b"Rokt answered 422"
    assert told["dlq.exception"] == b"x.Y"
    assert told["dlq.http.status"] == b"422"
    assert told["dlq.http.body"] == b'{"description": "no"}'
    assert told["dlq.attempts"] == b"4"
    assert told["dlq.operation"] == b"confirm"
    assert told["dlq.idempotency-key"] == b"370a9bfe-0b99-4436-8061-efa2d08c2a0a"
    assert told["dlq.source.topic"] == b"orders"
    assert told["dlq.source.partition"] == b"3"
    assert told["dlq.source.offset"] == b"42"
    assert told["dlq.source.timestamp"] == b"1795341600123"
    assert told["dlq.group"] == b"rokt-worker"
    assert told["dlq.redrives"] == b"0"


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30))])
def test_the_time_of_the_failure_is_in_utc(zone: timezone) -> None:
    assert last(letter(at=AT.astimezone(zone)))["dlq.failed-at"] == b"2026-11-22T10:00:00.123Z"


def test_the_last_trace_context_is_that_of_the_failing_attempt() -> None:
    assert last(letter())["traceparent"] == TRACE[0][1]
    assert letter()[0] == ORIGINAL[0]


def test_partition_and_offset_0_are_told_as_0() -> None:
    told = last(letter(Record("orders", 0, 0, None, None, (), 0)))
    assert (told["dlq.source.partition"], told["dlq.source.offset"]) == (b"0", b"0")
    assert told["dlq.source.timestamp"] == b"0"


def test_a_record_without_a_timestamp_has_an_empty_one() -> None:
    assert last(letter(Record("orders", 0, 0, None, None, (), None)))["dlq.source.timestamp"] == b""


def test_a_call_that_had_no_answer_has_an_empty_status() -> None:
    told = last(letter(death=Death("exhausted", "no answer", attempts=8)))
    assert told["dlq.http.status"] == b""
    assert told["dlq.http.body"] == b""


@pytest.mark.parametrize("body", [b"x" * 100_000, "ä☃😀".encode() * 10_000, b"\xff" * 100_000])
def test_the_body_of_rokts_answer_is_cut_at_2_kib(body: bytes) -> None:
    call = Call("confirm", "key", b"", bytes(16), (CallItem("i", "r"),), "c", "o", None, None)
    answer = read_answer(422, body, call.items, None)
    assert isinstance(answer, Refused)
    verdict = judge(call, answer, History())
    assert isinstance(verdict, Settled)
    assert verdict.death is not None
    kept = last(letter(death=verdict.death))["dlq.http.body"]
    assert kept is not None
    assert 2000 < len(kept) <= 2048
    kept.decode()


def test_a_brief_letter_is_small_and_still_says_why() -> None:
    death = Death("item-rejected", "x" * 5000, http_status=200, http_body="y" * 2048, operation="confirm", key="k")
    brief = letter(death=death, brief=True)[len(ORIGINAL) :]
    assert sum(len(name) + len(value or b"") for name, value in brief) < 1500
    assert last(brief)["dlq.reason"] == b"item-rejected"
    assert brief != letter(death=death)[len(ORIGINAL) :]


def test_a_message_without_end_is_cut() -> None:
    message = last(letter(death=Death("invalid", "x" * 1_000_000)))["dlq.message"]
    assert message is not None
    assert len(message) < 10_000
