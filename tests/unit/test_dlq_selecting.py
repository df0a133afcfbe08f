"""Which letters are meant, how many there are, and what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest
from msgspec.structs import replace

from infra.dead_letters_written import REFUSED, SOURCE, about, letter, record
from infra.events import cancelled, completed, encoded
from worker.decode.decoder import Decoded, Decoder, Undecodable
from worker.dlq.counting import Newest
from worker.dlq.filters import Filters
from worker.dlq.letter import Letter, Place
from worker.dlq.marks import Mark, identity, room, state_of, understood, written
from worker.dlq.selecting import Events, Selection
from worker.errors import WorkerError
from worker.record import Record

ALL: Any = ("open", "redriven", "discarded")


class Shelf:
    def __init__(self) -> None:
        self.rooms: dict[str, dict[int, str]] = {}

    async def kept(self, room: str, first: int, last: int) -> dict[int, str]:
        return {n: text for n, text in self.rooms.get(room, {}).items() if first <= n < last}

    async def keep(self, room: str, values: Mapping[int, str]) -> None:
        self.rooms.setdefault(room, {}).update(values)

    async def swap(self, room: str, number: int, old: str | None, new: str) -> bool:
        there = self.rooms.setdefault(room, {})
        if there.get(number) == old:
            there[number] = new
        return there.get(number) == new

    async def drop(self, room: str, below: int) -> None:
        self.rooms[room] = {n: text for n, text in self.rooms.get(room, {}).items() if n >= below}


class Read:
    async def read(self, of: Letter) -> Decoded:
        return await Decoder({}, None).decode("orders", of.original.value)


def selected(records: list[Record], shelf: Shelf | None = None, states: Any = ("open",), **filters: Any) -> Selection:
    selection = Selection(
        Filters(**filters), states, group="ours", shelf=shelf or Shelf(), events=cast("Events", Read())
    )
    selection.found = asyncio.run(selection.of(records))  # type: ignore[attr-defined]
    return selection


def offsets(selection: Selection) -> list[int]:
    return [found.letter.place.offset for found in selection.found]  # type: ignore[attr-defined]


def of(event: dict[str, Any]) -> Record:
    return replace(SOURCE, value=encoded(event))


SEVERAL = [
    record(of(completed("ada")), REFUSED, offset=0, minutes=0),
    record(of(completed("bob")), about("exhausted", operation="confirm", key="key-2"), offset=1, minutes=10),
    record(of(cancelled("ada")), about("nothing-to-cancel", operation="cancel"), offset=2, minutes=20),
    record(SOURCE, about("undecodable"), offset=3, minutes=30),
    record(of(completed("ada")), replace(REFUSED, http_status=404, key="key-4"), offset=4, minutes=40),
]
AT: Any = [letter.failed_at_ms for letter in (letter(minutes=0), letter(minutes=10), letter(minutes=20))]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"reasons": ["rejected", "undecodable"]}, [0, 3, 4]),
        ({"operations": ["cancel"]}, [2]),
        ({"statuses": [404]}, [4]),
        ({"statuses": [404, 422]}, [0, 4]),
        ({"keys": ["key-2"]}, [1]),
        ({"since_ms": AT[1]}, [1, 2, 3, 4]),
        ({"until_ms": AT[1]}, [0]),
        ({"since_ms": AT[1], "until_ms": AT[2]}, [1]),
        ({"carts": ["ada"]}, [0, 2, 4]),
        ({"orders": ["order-bob"]}, [1]),
        ({"carts": ["ada"], "orders": ["order-bob"]}, []),
        ({"carts": ["ada"], "reasons": ["rejected"], "statuses": [422]}, [0]),
        ({"places": [Place("orders.dlq", 0, 3)]}, [3]),
        ({"places": [Place("orders.dlq", 1, 3)]}, []),
    ],
    ids=str,
)
def test_every_filter_narrows_the_letters_down(filters: dict[str, Any], found: list[int]) -> None:
    assert offsets(selected(SEVERAL, **filters)) == found
    assert Filters(**filters).narrow == bool(filters)


def test_letters_of_other_groups_and_foreign_records_are_counted_apart() -> None:
    counts = selected(
        [*SEVERAL, record(group="theirs", offset=5), replace(SOURCE, topic="orders.dlq", offset=6)]
    ).counts
    assert counts.states["open"] == 5
    assert counts.others == {"theirs": 1}
    assert [(each.place.offset, each.wrong) for each in counts.first_foreign] == [(6, "it has no header dlq.reason")]


def test_they_are_counted_by_kind_with_the_oldest_and_the_newest() -> None:
    counts = selected([*SEVERAL, record(offset=5, minutes=50)]).counts
    [(kind, count)] = [each for each in counts.asked_for() if each[0].http_status == 422]
    assert (kind.topic, kind.reason, kind.operation, kind.http_status) == ("orders.dlq", "rejected", "confirm", 422)
    assert count.states == {"open": 2}
    assert (count.oldest_ms, count.newest_ms) == (AT[0], AT[0] + 50 * 60_000)


def test_what_is_marked_is_not_open_any_more() -> None:
    shelf = Shelf()
    marks = {
        0: Mark("redriven", identity(letter_of(0)), 1, result="succeeded"),
        1: Mark("discarded", identity(letter_of(1)), 1, by="ada", because="so"),
        2: Mark("taken", identity(letter_of(2)), 1, until_ms=2),
        3: Mark("discarded", "another letter, which stood there before", 1),
    }
    asyncio.run(shelf.keep(room("orders.dlq", 0), {offset: written(mark) for offset, mark in marks.items()}))
    assert offsets(selected(SEVERAL, shelf)) == [2, 3, 4]
    assert offsets(selected(SEVERAL, shelf, ("discarded",))) == [1]
    everything = selected(SEVERAL, shelf, ALL)
    assert offsets(everything) == [0, 1, 2, 3, 4]
    assert everything.counts.states == {"open": 3, "redriven": 1, "discarded": 1}
    assert all(count.oldest_ms is not None for _, count in everything.counts.asked_for())
    assert len(selected(SEVERAL, shelf, ("redriven",)).counts.asked_for()) == 1


def test_a_mark_is_written_and_read() -> None:
    mark = Mark("redriven", identity(letter_of(0)), 5, result="succeeded", trace_id="t")
    assert understood(written(mark), letter_of(0)) == mark
    assert understood(None, letter_of(0)) is None
    assert state_of(None) == "open"


def test_a_mark_of_a_later_version_is_not_taken_for_none() -> None:
    with pytest.raises(WorkerError, match=r"orders\.dlq/0/0 is of another version"):
        understood('{"state": "framed", "letter": "?", "atMs": 1}', letter_of(0))


def test_only_the_newest_are_kept() -> None:
    newest: Newest[str] = Newest(2)
    for at_ms, name in ((3, "c"), (1, "a"), (2, "b"), (3, "later"), (9, "z")):
        if newest.wants(at_ms):
            newest.offer(at_ms, name)
    assert list(newest) == ["z", "c"]
    assert not Newest(0).wants(1)


def test_an_event_that_cannot_be_read_is_nobodys() -> None:
    assert Filters().admit_event(Undecodable("no"))
    assert not Filters(carts=["ada"]).admit_event(Undecodable("no"))


def letter_of(offset: int) -> Letter:
    from worker.dlq.letter import read

    found = read(SEVERAL[offset])
    assert isinstance(found, Letter)
    return found
