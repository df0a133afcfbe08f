"""A dead letter, read again: why it is there, and the original as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from infra.dead_letters_written import REFUSED, SOURCE, TRACE, about, letter, record
from worker.dlq.letter import REASONS, Foreign, Letter, Place, read
from worker.record import Headers, Record

PRODUCER: Headers = (("traceparent", b"00-11111111111111111111111111111111-2222222222222222-01"),)
STATE: Headers = (*TRACE, ("tracestate", b"shop=1"))


def test_all_that_the_worker_wrote_is_read() -> None:
    found = letter(offset=42, partition=3, redrives=2, minutes=1)
    assert found.place == Place("orders.dlq", 3, 42)
    assert str(found.place) == "orders.dlq/3/42"
    assert found.source == Place("orders", 1, 7)
    assert found.original == SOURCE
    assert (found.reason, found.message, found.http_status, found.http_body) == (
        "rejected",
        "Rokt answered 422",
        422,
        "{}",
    )
    assert (found.attempts, found.operation, found.key, found.group) == (1, "confirm", "key-1", "ours")
    assert (found.redrives, found.failed_at_ms) == (2, 1_795_168_860_000)
    assert (found.failing, found.trace_id) == (TRACE, "0af7651916cd43dd8448eb211c80319c")


@pytest.mark.parametrize("reason", REASONS)
def test_what_has_no_call_has_no_key_and_no_status(reason: str) -> None:
    found = letter(SOURCE, about(reason))
    assert (found.reason, found.operation, found.key, found.http_status, found.attempts) == (
        reason,
        None,
        None,
        None,
        0,
    )


@pytest.mark.parametrize("trace", [(), TRACE, STATE], ids=["no trace", "a trace", "a trace with state"])
@pytest.mark.parametrize(
    "original",
    [
        (),
        (("shop", b"x"), ("none", None), ("shop", b"\xff")),
        PRODUCER,
        (*PRODUCER, ("tracestate", b"rojo=1")),
        (*PRODUCER, ("shop", b"x")),
        (("tracestate", b"alone=1"),),
    ],
    ids=["nothing", "anything", "a trace", "a trace with state", "a trace before another", "a state alone"],
)
def test_the_originals_headers_come_back_as_they_were(original: Headers, trace: Headers) -> None:
    if not trace and original[-1:] != (("shop", b"x"),) and "traceparent" in dict(original):
        trace = TRACE  # of an original with a trace every attempt has one
    found = letter(replace(SOURCE, headers=original), trace=trace)
    assert (found.original.headers, found.failing) == (original, trace)


def test_a_trace_that_is_none_stays_the_originals() -> None:
    original: Headers = (("traceparent", b"nonsense"),)
    assert letter(replace(SOURCE, headers=original), trace=()).original.headers == original


def test_a_letter_of_a_letter_is_no_longer_than_it() -> None:
    first = record()
    again = read(record(read_original(first), redrives=1))
    assert isinstance(again, Letter)
    assert (again.redrives, again.original) == (1, SOURCE)
    assert len(record(read_original(first), redrives=1).headers) == len(first.headers)


def test_headers_of_ours_that_the_original_had_are_its_own() -> None:
    put_back_by_hand = replace(SOURCE, headers=record().headers)
    assert letter(put_back_by_hand, about("invalid")).original.headers == record().headers


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("dlq.reason", b"bored", "its dlq.reason is none that this version knows"),
        ("dlq.operation", b"refund", "its dlq.operation is none that this version knows"),
        ("dlq.source.topic", b"", "it has no dlq.source.topic"),
        ("dlq.source.partition", b"", "it has no dlq.source.partition"),
        ("dlq.source.offset", b"-1", "its dlq.source.offset is no whole number"),
        ("dlq.source.timestamp", "١٢".encode(), "its dlq.source.timestamp is no whole number"),
        ("dlq.http.status", b"4xx", "its dlq.http.status is no whole number"),
        ("dlq.attempts", b"9" * 20, "its dlq.attempts is no whole number"),
        ("dlq.redrives", b"many", "its dlq.redrives is no whole number"),
        ("dlq.group", b"", "it has no dlq.group"),
        ("dlq.failed-at", b"yesterday", "its dlq.failed-at is no time"),
        ("dlq.failed-at", b"2026-11-20T10:00:00", "its dlq.failed-at is no time with an offset"),
        ("dlq.message", b"\xff", "its dlq.message is not UTF-8"),
    ],
)
def test_a_damaged_letter_is_foreign_and_says_what_is_wrong(name: str, value: bytes, wrong: str) -> None:
    whole = record(offset=5)
    damaged = replace(whole, headers=tuple((n, value if n == name else v) for n, v in whole.headers))
    assert read(damaged) == Foreign(Place("orders.dlq", 0, 5), wrong)


def test_a_record_of_somebody_else_is_foreign() -> None:
    assert read(SOURCE) == Foreign(Place("orders", 1, 7), "it has no header dlq.reason")
    assert read(replace(SOURCE, unreadable="no")) == Foreign(Place("orders", 1, 7), "no")


NAMES = st.sampled_from([name for name, _ in record().headers]) | st.text(max_size=5)
HEADERS = st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=20)), max_size=20)


@given(HEADERS, HEADERS, st.none() | st.binary(max_size=5))
def test_whatever_stands_there_is_read_without_a_fall(
    before: list[tuple[str, bytes | None]], behind: list[tuple[str, bytes | None]], value: bytes | None
) -> None:
    ours = record().headers
    for headers in (before, [*before, *ours, *behind]):
        assert isinstance(read(Record("t", 0, 0, value, value, tuple(headers), None)), Letter | Foreign)


@given(st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=20)), max_size=8))
def test_any_headers_of_the_shop_come_back(original: list[tuple[str, bytes | None]]) -> None:
    assert letter(replace(SOURCE, headers=tuple(original)), REFUSED).original.headers == tuple(original)


def read_original(of: Record) -> Record:
    found = read(of)
    assert isinstance(found, Letter)
    return found.original
