"""Why a partition is not read: several reasons at once, none of which can undo another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from worker.stream.pauses import Limits, reasons

LIMITS = Limits(gap=10, bytes=100, kinds={"bought": "confirm", "off": "cancel", "left": "release"})
NOTHING: frozenset[str] = frozenset()
MEMORY = frozenset({"memory"})


@dataclass(eq=False)
class Partition:
    topic: str = "mixed"
    gap: int = 0
    bytes: int = 0
    paused_for: frozenset[str] = NOTHING


def why(*partitions: Partition, held: Mapping[str, frozenset[str]] | None = None) -> list[set[str]]:
    of_topic = held or {}
    return [set(found) for found in reasons(partitions, LIMITS, lambda t: of_topic.get(t, NOTHING)).values()]


def test_a_partition_within_its_limits_is_read() -> None:
    assert why(Partition(gap=9, bytes=99)) == [set()]


def test_a_gap_that_grew_too_large_pauses_its_partition_and_no_other() -> None:
    assert why(Partition(gap=10), Partition(gap=1)) == [{"gap"}, set()]


def test_too_much_in_hand_altogether_pauses_every_partition() -> None:
    assert why(Partition(bytes=60), Partition(bytes=40)) == [{"memory"}, {"memory"}]


def test_a_partition_is_read_again_only_when_half_of_the_limit_is_free() -> None:
    paused = frozenset({"gap"})
    assert why(Partition(gap=6, paused_for=paused)) == [{"gap"}]
    assert why(Partition(gap=5, paused_for=paused)) == [set()]


def test_one_reason_that_ends_does_not_end_another() -> None:
    both = frozenset({"gap", "credentials"})
    refused = {"mixed": frozenset({"credentials"})}
    assert why(Partition(gap=10, paused_for=both)) == [{"gap"}]
    assert why(Partition(gap=0, paused_for=both), held=refused) == [{"credentials"}]


def test_a_reason_of_a_topic_holds_for_a_partition_that_was_just_assigned() -> None:
    assert why(Partition(), held={"mixed": frozenset({"credentials"})}) == [{"credentials"}]


def test_a_reason_of_one_topic_leaves_the_others_alone() -> None:
    held = {"bought": frozenset({"outage"})}
    assert why(Partition("bought"), Partition("bought"), Partition("off"), held=held) == [{"outage"}, {"outage"}, set()]


# --- The bytes in hand, by what they are of


def test_releases_are_not_read_from_half_of_the_limit_and_all_else_is() -> None:
    others = (Partition("bought"), Partition("off"))
    assert why(Partition("left", bytes=49), *others) == [set(), set(), set()]
    assert why(Partition("left", bytes=50), *others) == [{"memory"}, set(), set()]


def test_releases_and_cancels_leave_a_quarter_to_confirms() -> None:
    assert why(Partition("left", bytes=50), Partition("off", bytes=25), Partition("bought", bytes=24)) == [
        {"memory"},
        {"memory"},
        set(),
    ]


def test_confirms_that_cannot_be_made_leave_room_for_the_others() -> None:
    """Their endpoint is down, and what was read of them stays in hand for as long as that lasts."""
    stuck = Partition("bought", bytes=80, paused_for=MEMORY)
    assert why(stuck, Partition("off", bytes=24), Partition("left", bytes=11)) == [{"memory"}, set(), set()]
    assert why(stuck, Partition("off", bytes=25), Partition("left", bytes=12)) == [{"memory"}, {"memory"}, {"memory"}]


def test_a_kind_is_read_again_when_half_of_its_own_room_is_free_whatever_the_others_have() -> None:
    stuck = Partition("bought", bytes=60)
    assert why(stuck, Partition("off"), Partition("left", bytes=8, paused_for=MEMORY))[2] == {"memory"}
    assert why(stuck, Partition("off"), Partition("left", bytes=7, paused_for=MEMORY))[2] == set()


def test_nothing_is_kept_for_a_kind_of_which_there_is_no_partition() -> None:
    assert why(Partition("left", bytes=99)) == [set()]
    assert why(Partition("mixed", bytes=99)) == [set()]


def test_a_topic_of_several_kinds_counts_as_one_of_confirms() -> None:
    assert why(Partition("mixed", bytes=10), Partition("bought", bytes=10), Partition("left", bytes=50)) == [
        set(),
        set(),
        set(),
    ]
