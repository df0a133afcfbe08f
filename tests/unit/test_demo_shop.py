"""The shop: what is published when."""

from __future__ import annotations

from infra.demo import BEGIN, script_of
from worker.demo.evidence import Letter, Outcome, RoktCall
from worker.demo.fates import Kind
from worker.demo.script import PAID_TOPIC, Record
from worker.demo.shop import Shop


class Publications:
    """What was published, in order."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def __call__(self, record: Record, _: float) -> None:
        self.records.append(record)


def outcome_of(record: Record, key: str = "k") -> Outcome:
    return Outcome((record.topic, 0, 0), key, "confirm", "succeeded", 200, 1, record.trace_id, BEGIN)


def letter_of(record: Record) -> Letter:
    topic, headers = f"{record.topic}.dlq", (*record.headers, ("traceparent", b"00-other-span-01"))
    return Letter((record.topic, 0, 0), topic, record.fate.letters[0], b"", record.value, 0, headers, BEGIN)


def test_the_shop_publishes_in_order_of_time_and_no_record_before_it_is_due() -> None:
    _, script = script_of(100)
    published = Publications()
    shop = Shop(script, published)
    shop.turn(1.0, 0.0)
    assert [r.due for r in published.records] == sorted(r.due for r in script.records if r.after is None and r.due <= 1)
    shop.turn(1000.0, 0.0)
    assert not shop.done
    assert all(record.after is None for record in published.records)


def test_the_shop_cancels_only_what_it_has_seen_confirmed() -> None:
    _, script = script_of(100)
    published = Publications()
    shop = Shop(script, published)
    cancel = next(r for r in script.records if r.fate.kind is Kind.CANCELLED)
    assert cancel.after is not None
    assert script.records[cancel.after.number].topic == PAID_TOPIC
    shop.turn(1000.0, 0.0)
    assert cancel not in published.records
    shop.heard(outcome_of(script.records[cancel.after.number]))
    shop.turn(1000.0, 0.0)
    assert published.records[-1] == cancel


def waiting_shop(kind: Kind) -> tuple[Shop, Publications, Record, Record]:
    """A shop, what it has published, a record that waits, and the one that it waits for."""
    _, script = script_of(100)
    published = Publications()
    shop = Shop(script, published)
    shop.turn(1000.0, 0.0)
    waiting = next(record for record in script.records if record.fate.kind is kind)
    assert waiting.after is not None
    return shop, published, waiting, script.records[waiting.after.number]


def test_an_abandoned_cart_is_told_once_the_call_of_its_confirm_was_seen() -> None:
    shop, published, release, confirm = waiting_shop(Kind.SOLD)
    shop.seen(RoktCall("confirm", "k", 503, False, "f" * 32))
    shop.turn(1000.0, 0.0)
    assert release not in published.records
    shop.seen(RoktCall("confirm", "k", 503, False, confirm.trace_id))
    shop.turn(1000.0, 0.0)
    assert published.records[-1] == release


def test_an_order_is_paid_late_once_the_dead_letter_of_its_cancel_was_seen() -> None:
    shop, published, paid, cancel = waiting_shop(Kind.LATE)
    shop.heard(letter_of(cancel))
    shop.turn(1000.0, 0.0)
    assert published.records[-1] == paid


def test_an_outcome_that_comes_twice_counts_once() -> None:
    _, script = script_of(400)
    again = next(r for r in script.records if r.after and script.records[r.after.number].fate.outcomes > 1)
    assert again.after is not None
    first = script.records[again.after.number]
    published = Publications()
    shop = Shop(script, published)
    for key in ("1", "1"):
        shop.heard(outcome_of(first, key))
    shop.turn(1000.0, 0.0)
    assert again not in published.records
    for key in map(str, range(first.fate.outcomes)):
        shop.heard(outcome_of(first, key))
    shop.turn(1000.0, 0.0)
    assert again in published.records


def test_the_shop_is_done_when_all_that_was_waited_for_came() -> None:
    _, script = script_of(100)
    published = Publications()
    shop = Shop(script, published)
    for _ in range(4):
        shop.turn(1000.0, 0.0)
        for record in tuple(published.records):
            shop.seen(RoktCall("confirm", "k", 200, True, record.trace_id))
            for call in range(record.fate.outcomes):
                shop.heard(outcome_of(record, str(call)))
            if record.fate.letters:
                shop.heard(letter_of(record))
    assert shop.done
    assert sorted(r.number for r in published.records) == list(range(len(script.records)))
