"""The page for people: what it shows, and that nothing of an event can break out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from worker.gate.circuit import OpenCircuit
from worker.gate.gate import GateState
from worker.page import About, shown
from worker.stalls import Stall
from worker.state import PartitionState, State
from worker.telemetry.recent import KEPT, Recent, recently

QUIET = GateState((), {"confirm": 64}, {"confirm": 0}, 0, 0.0, None)
PARTITION = PartitionState("checkout-completed", 3, 1_042, 12, 9, 75.0, 3.0, frozenset())
WELL = State(
    idle_seconds=0.1,
    joined=True,
    brokers_down=False,
    gate=QUIET,
    ledger_down=False,
    stopping=False,
    partitions=(PARTITION,),
    under_way=7,
    lanes=5,
    stalls=(),
    retention_left_seconds=None,
    records_lost=0,
)
RECENT = Recent(
    datetime(2026, 11, 25, 10, 30, tzinfo=UTC), "orders", "succeeded", "succeeded", "ada", "order-1", 3, 0.25, "ab" * 16
)
ABOUT = About("rokt-worker", "https://api.rokt.com")


class Text(HTMLParser):
    """The words and tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def page(state: State = WELL, recent: Sequence[Recent] = (), about: About = ABOUT) -> Text:
    return Text(shown(about, recent, state))


def test_a_worker_that_is_well_is_told_at_a_glance() -> None:
    words = page().words
    for told in ("yes", "go", "no circuit is open", "1,042", "9", "7 begun, 5 lanes", "checkout-completed/3"):
        assert told in words


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (replace(WELL, brokers_down=True), "no broker answers"),
        (replace(WELL, gate=replace(QUIET, circuits=(OpenCircuit("confirm", "Rokt answered 503", 12.0),))), "held up"),
        (replace(WELL, gate=replace(QUIET, held_back_seconds=7.0)), "as Rokt asked (Retry-After)"),
        (replace(WELL, gate=replace(QUIET, calls_per_second=12.5)), "12.5/s"),
        (replace(WELL, records_lost=1_234), "1,234"),
        (replace(WELL, retention_left_seconds=7_200.0), "2 h"),
        (replace(WELL, partitions=(replace(PARTITION, paused_for=frozenset({"memory"})),)), "memory"),
        (replace(WELL, stalls=(Stall("orders", 1, 42, "ada", "the ledger", 90.0),)), "orders/1"),
        (replace(WELL, partitions=(replace(PARTITION, lag=None),)), "?"),
        (replace(WELL, partitions=()), "none yet"),
    ],
)
def test_what_is_wrong_or_held_up_is_told(state: State, told: str) -> None:
    assert told in page(state, [RECENT]).words
    assert told not in page(WELL, [RECENT]).words


def test_the_last_events_stand_with_the_newest_first_and_lead_to_their_traces() -> None:
    newer = RECENT._replace(cart_id="bob", fate="dead-lettered", said="rejected")
    linking = About("rokt-worker", "https://api.rokt.com", "https://jaeger.example/trace/{trace_id}")
    found = page(recent=[RECENT, newer], about=linking)
    assert found.words.index("bob") < found.words.index("ada")
    assert "rejected" in found.words
    assert f"https://jaeger.example/trace/{RECENT.trace_id}" in found.links


def test_ids_cannot_break_out_of_the_page() -> None:
    evil = "<script>alert(1)</script>\"'&"
    state = replace(
        WELL,
        gate=replace(QUIET, circuits=(OpenCircuit("confirm", evil, 1.0),)),
        stalls=(Stall(evil, 0, 1, evil, evil, 1.0),),
        partitions=(replace(PARTITION, topic=evil, paused_for=frozenset({evil})),),
    )
    strange = RECENT._replace(topic=evil, said=evil, cart_id=evil, order_id=evil, trace_id=evil)
    found = page(state, [strange], About(evil, evil, "https://x/{trace_id}"))
    assert "script" not in found.tags
    assert found.words.count(evil) >= 6


def test_no_script_and_nothing_of_another_server_is_in_it() -> None:
    text = shown(ABOUT, [RECENT], WELL)
    assert not {"script", "img", "link", "iframe"} & set(Text(text).tags)
    assert "url(" not in text


def test_only_so_many_are_remembered() -> None:
    recent = recently()
    recent.extend(RECENT._replace(attempts=n) for n in range(10 * KEPT))
    assert [one.attempts for one in recent] == list(range(9 * KEPT, 10 * KEPT))
