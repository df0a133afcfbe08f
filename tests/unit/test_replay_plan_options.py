"""What is typed after `rokt-worker replay`: wrong use is said before anybody is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import pytest

from worker.commands.moments import Moment
from worker.commands.replay_options import Options, check_report, name_of, wanted
from worker.replay.plan import Wanted

NOW = 1_763_632_800_000
HOUR = 3_600_000
DAY = 24 * HOUR
SOURCES = ["checkouts", "cancels"]
DAYS = 30
TYPED = Options(NOW - HOUR, None, (), (), (), (), True, None, False, None, False, None)


def refused(options: Options) -> str:
    with pytest.raises(click.UsageError) as raised:
        wanted(options, SOURCES, DAYS, NOW)
    return raised.value.message


def test_what_is_typed_is_what_is_wanted() -> None:
    typed = replace(TYPED, topics=("cancels",), partitions=("2", "cancels/1"), carts=("c",), orders=("o",), again=True)
    assert wanted(typed, SOURCES, DAYS, NOW) == Wanted(
        NOW - HOUR,
        None,
        frozenset({"cancels"}),
        frozenset({("", 2), ("cancels", 1)}),
        frozenset({"c"}),
        frozenset({"o"}),
        again=True,
    )


def test_a_time_to_come_is_refused_for_since_and_not_for_until() -> None:
    assert "still to come" in refused(replace(TYPED, since_ms=NOW + 1))
    assert wanted(replace(TYPED, until_ms=NOW + HOUR), SOURCES, DAYS, NOW).until_ms == NOW + HOUR


def test_an_end_before_the_beginning_is_refused() -> None:
    assert "not later than" in refused(replace(TYPED, until_ms=TYPED.since_ms))


def test_what_the_ledger_has_forgotten_is_refused_unless_it_is_asked_for_all_the_same() -> None:
    old = replace(TYPED, since_ms=NOW - 31 * DAY)
    said = refused(old)
    assert "WORKER_LEDGER__RETENTION_DAYS is 30" in said
    assert "--beyond-ledger" in said
    assert wanted(replace(old, beyond_ledger=True), SOURCES, DAYS, NOW).since_ms == NOW - 31 * DAY


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"topics": ("nope",)}, "checkouts, cancels"),
        ({"partitions": ("x",)}, "TOPIC/NUMBER"),
        ({"partitions": ("-1",)}, "TOPIC/NUMBER"),
        ({"partitions": ("nope/1",)}, "checkouts, cancels"),
        ({"topics": ("cancels",), "partitions": ("checkouts/1",)}, "not a source topic"),
        ({"carts": (" ",)}, "--cart is empty"),
        ({"orders": ("",)}, "--order is empty"),
    ],
)
def test_what_there_cannot_be_is_said_with_what_there_is(given: dict[str, tuple[str, ...]], said: str) -> None:
    assert said in refused(replace(TYPED, **given))  # type: ignore[arg-type]


def test_a_name_is_one_that_a_group_may_have() -> None:
    assert name_of(replace(TYPED, name="tuesday-2"), Wanted(NOW)) == "tuesday-2"
    assert name_of(TYPED, Wanted(NOW)).startswith("2025")
    for wrong in ("", "a b", "-x", "x" * 65, "ä"):
        with pytest.raises(click.UsageError):
            name_of(replace(TYPED, name=wrong), Wanted(NOW))


def test_a_report_that_cannot_be_written_is_said_before_hours_are_spent(tmp_path: Path) -> None:
    check_report(None)
    check_report(tmp_path / "report.json")
    with pytest.raises(click.UsageError, match="a folder"):
        check_report(tmp_path)
    with pytest.raises(click.UsageError, match="no folder"):
        check_report(tmp_path / "nowhere" / "report.json")


@pytest.mark.parametrize("text", ["yesterday", "", "1969-12-31", "2026-13-01", "9999-99-99T00:00:00Z"])
def test_a_time_that_is_none_is_said_with_one_that_is(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Moment().convert(text, None, None)


@pytest.mark.parametrize("text", ["2025-11-20T10:00:00Z", "2025-11-20T10:00:00", "2025-11-20T11:00:00+01:00"])
def test_a_time_without_an_offset_is_utc(text: str) -> None:
    assert Moment().convert(text, None, None) == NOW


def test_a_time_may_be_given_as_kafka_has_it() -> None:
    assert Moment().convert(str(NOW), None, None) == NOW
