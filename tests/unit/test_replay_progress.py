"""However many processes have a stretch, at one time or one after the other, and wherever they crash: each of its
records is counted once, and none is passed by that nobody settled.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.memory_ledger import MemoryStore, Shelf
from worker.errors import CannotReplay, LedgerUnavailable
from worker.replay.keeping import room
from worker.replay.plan import Plan, Stretch, Wanted
from worker.replay.progress import Progress, come
from worker.replay.request import Come, Part
from worker.replay.tally import Tally

PLACE = "orders", 0
OTHER = "orders", 1
PARTS: tuple[Part, ...] = ("settled before", "succeeded", "dead-lettered", "skipped")
END = 12
PLAN = Plan("tuesday", Wanted(0), 0, (Stretch("orders", 0, 0, END), Stretch("orders", 1, 5, 6)))
MOST_STEPS = 60


def part_of(offset: int) -> Part:
    return PARTS[offset % len(PARTS)]


@dataclass
class Troubled:
    """A shelf that crashes as it is told to: before it did what it was asked, or after it and before it said so."""

    store: MemoryStore
    swaps: int = 0
    troubles: list[str] = field(default_factory=list)
    meanwhile: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    async def kept(self, name: str, first: int, last: int) -> dict[int, str]:
        return await self.store.kept(name, first, last)

    async def swap(self, name: str, number: int, old: str | None, new: str) -> bool:
        self.swaps += 1
        while self.meanwhile:
            await self.meanwhile.pop()()
        trouble = self.troubles.pop() if self.troubles else ""
        if trouble == "before":
            raise LedgerUnavailable("away", "bring it back")
        done = await self.store.swap(name, number, old, new)
        if trouble == "after":
            raise LedgerUnavailable("no answer", "ask again")
        return done


def shelf() -> Troubled:
    return Troubled(MemoryStore(Shelf(lambda: 0)))


def progress(on: Troubled, now_ms: int = 7) -> Progress:
    return Progress(on, PLAN, lambda: now_ms)


def settled(first: int, end: int) -> Tally:
    tally = Tally()
    for offset in range(first, end):
        tally.note(offset, part_of(offset), 1)
    return tally


def counted(first: int, end: int) -> dict[Part, int]:
    return dict(Counter(part_of(offset) for offset in range(first, end)))


def test_nobody_has_begun() -> None:
    async def look() -> None:
        on = shelf()
        assert await come(on, PLAN) == Come()
        assert await progress(on).positions([PLACE, OTHER, ("orders", 2)]) == {PLACE: 0, OTHER: 5}

    asyncio.run(look())


def test_it_has_come_as_far_as_it_is_kept_and_goes_on_from_there() -> None:
    async def go() -> None:
        on = shelf()
        one = progress(on)
        await one.positions([PLACE])
        await one.add(PLACE, settled(0, 6), 4)
        assert (await come(on, PLAN)).counts == counted(0, 4)
        assert await progress(on).positions([PLACE]) == {PLACE: 4}
        then = await come(on, PLAN)
        assert (then.offsets, then.calls, then.finished) == (4, 4, False)
        assert (then.begun_at_ms, then.changed_at_ms) == (7, 7)

    asyncio.run(go())


def test_it_is_finished_when_every_stretch_has_come_to_its_end_whoever_brought_it_there() -> None:
    async def go() -> None:
        on = shelf()
        one, other = progress(on), progress(on)
        await one.positions([PLACE])
        await other.positions([OTHER])
        await one.add(PLACE, settled(0, END), END)
        assert not (await one.look()).finished
        await other.add(OTHER, settled(5, 6), 6)
        assert (await one.look()).finished
        assert one.come().offsets == END + 1 == sum(one.come().counts.values())

    asyncio.run(go())


def test_nothing_is_written_while_nothing_new_is_settled() -> None:
    async def go() -> None:
        on = shelf()
        one = progress(on)
        await one.positions([PLACE])
        for upto in (0, 3, 3, 2):
            await one.add(PLACE, settled(0, 6), upto)
        assert on.swaps == 1

    asyncio.run(go())


def test_holes_are_passed_and_counted_as_nothing() -> None:
    async def go() -> None:
        on = shelf()
        one = progress(on)
        await one.positions([PLACE])
        await one.add(PLACE, settled(4, 6), END)
        found = await one.look()
        assert (found.offsets, sum(found.counts.values())) == (END, 2)

    asyncio.run(go())


def test_who_comes_too_late_drops_what_is_counted_and_adds_what_is_not() -> None:
    async def go() -> None:
        on = shelf()
        slow, quick = progress(on), progress(on)
        for member in (slow, quick):
            await member.positions([PLACE])
        late = settled(0, 8)
        await quick.add(PLACE, settled(0, 5), 5)
        await slow.add(PLACE, late, 8)
        assert (await come(on, PLAN)).counts == counted(0, 8)
        assert len(late) == 0
        latest = settled(0, 3)
        await quick.add(PLACE, latest, 3)
        assert (await come(on, PLAN)).counts == counted(0, 8)
        assert len(latest) == 0

    asyncio.run(go())


@pytest.mark.parametrize("trouble", ["before", "after"])
def test_what_was_not_acknowledged_is_added_once(trouble: str) -> None:
    async def go() -> None:
        on = shelf()
        one = progress(on)
        await one.positions([PLACE])
        tally = settled(0, 5)
        on.troubles.append(trouble)
        with pytest.raises(LedgerUnavailable):
            await one.add(PLACE, tally, 4)
        await one.add(PLACE, tally, 5)
        assert (await come(on, PLAN)).counts == counted(0, 5)

    asyncio.run(go())


def test_what_is_kept_by_another_version_or_of_another_plan_is_not_gone_on_with() -> None:
    async def go() -> None:
        on = shelf()
        await on.store.keep(room("tuesday"), {1: '{"upto": 3}'})
        with pytest.raises(CannotReplay, match="orders/0"):
            await come(on, PLAN)
        again = shelf()
        one = progress(again)
        await one.positions([PLACE])
        await one.add(PLACE, settled(0, 1), 1)
        longer = Plan("tuesday", Wanted(0), 0, (Stretch("orders", 0, 0, END + 1),))
        with pytest.raises(CannotReplay, match="another stretch"):
            await come(again, longer)

    asyncio.run(go())


@dataclass
class Member:
    """One process's assignment of the first stretch: what it settled, in any order, and how far without a gap."""

    progress: Progress
    tally: Tally
    begun: int
    done: set[int] = field(default_factory=set)

    @property
    def frontier(self) -> int:
        frontier = self.begun
        while frontier in self.done:
            frontier += 1
        return frontier

    def settle(self, offset: int) -> None:
        if offset < END and offset not in self.done:
            self.done.add(offset)
            self.tally.note(offset, part_of(offset), 1)

    async def save(self) -> None:
        await self.progress.add(PLACE, self.tally, self.frontier)


async def member_on(on: Troubled) -> Member:
    made = progress(on)
    positions = await made.positions([PLACE])
    return Member(made, Tally(), positions[PLACE])


steps = st.one_of(
    st.tuples(st.just("assigned"), st.integers(0, 2), st.just(0)),
    st.tuples(st.just("settles"), st.integers(0, 2), st.integers(0, 3)),
    st.tuples(st.just("saves"), st.integers(0, 2), st.sampled_from([0, 1, 2])),
    st.tuples(st.just("saves while"), st.integers(0, 2), st.integers(0, 2)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(steps, max_size=MOST_STEPS))
def test_each_record_is_counted_once_under_any_interleaving(story: list[tuple[str, int, int]]) -> None:
    asyncio.run(tell(story))


async def tell(story: list[tuple[str, int, int]]) -> None:
    on = shelf()
    members = [await member_on(on) for _ in range(3)]
    found = Come()
    for what, who, more in story:
        member = members[who]
        if what == "assigned":  # what it had and did not save is gone: a crash, or a partition that was lost
            members[who] = await member_on(on)
        elif what == "settles":
            member.settle(member.frontier + more)
        elif what == "saves":
            on.troubles = [["", "before", "after"][more]]
            await suppressed(member.save)
        else:
            on.meanwhile.append(partial(suppressed, members[more].save))
            await suppressed(member.save)
        on.troubles.clear()
        on.meanwhile.clear()
        before, found = found.offsets, await come(on, PLAN)
        assert found.counts == counted(0, found.offsets)
        assert found.calls == found.offsets >= before
    last = await member_on(on)
    for offset in range(END):
        last.settle(offset)
    await last.save()
    assert (await come(on, PLAN)).counts == counted(0, END)


async def suppressed(save: Callable[[], Awaitable[None]]) -> None:
    try:
        await save()
    except LedgerUnavailable:
        return
