"""Why a partition is not read: several reasons at once, none of which can undo another."""

from __future__ import annotations

from dataclasses import dataclass

from worker.stream.pauses import Limits, reasons

LIMITS = Limits(gap=10, bytes=100)
NOTHING: frozenset[str] = frozenset()


@dataclass(eq=False)
class Partition:
    gap: int = 0
    bytes: int = 0
    paused_for: frozenset[str] = NOTHING


def why(*partitions: Partition, everywhere: frozenset[str] = NOTHING) -> list[set[str]]:
    return [set(found) for found in reasons(partitions, LIMITS, everywhere).values()]


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
    assert why(Partition(gap=10, paused_for=both)) == [{"gap"}]
    assert why(Partition(gap=0, paused_for=both), everywhere=frozenset({"credentials"})) == [{"credentials"}]


def test_a_reason_for_all_holds_for_a_partition_that_was_just_assigned() -> None:
    assert why(Partition(), everywhere=frozenset({"credentials"})) == [{"credentials"}]
