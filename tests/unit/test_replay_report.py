"""What a replay says of itself: whether its books balance, how long it still takes, in a file whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from worker.commands.replay_screen import Watch, reported
from worker.commands.speaking import Speech
from worker.replay.plan import Plan, Stretch, Wanted
from worker.replay.report import Report, document, duration, write
from worker.replay.request import Come, Progress

PLAN = Plan("tuesday", Wanted(0), 0, (Stretch("t", 0, 0, 10),))
DONE = Come(
    offsets=10,
    counts={"settled before": 4, "succeeded": 2, "superseded": 1, "dead-lettered": 1, "skipped": 1, "passed over": 1},
    calls=3,
    finished=True,
    begun_at_ms=1_000,
    changed_at_ms=66_000,
)


def shown(report: Report) -> str:
    out = io.StringIO()
    Speech(as_json=False, out=out).answer(None, *reported(report))
    return out.getvalue()


def test_a_finished_replay_balances() -> None:
    report = Report(PLAN, DONE)
    told = document(report)
    assert (told["state"], told["balanced"]) == ("finished", True)
    assert told["events"] == 8
    assert told["events"] == told["settledBefore"] + told["succeeded"] + told["superseded"] + told["deadLettered"]
    assert told["records"] == 10
    assert told["seconds"] == 65
    assert "balanced" in shown(report)
    assert "1 min 5 s" in shown(report)


def test_one_that_was_stopped_does_not_pretend_to() -> None:
    report = Report(PLAN, Come(offsets=3, counts={"succeeded": 3}, calls=3, begun_at_ms=0, changed_at_ms=5))
    assert (report.state, report.balanced) == ("under way", False)
    assert "not finished" in shown(report)
    assert Report(PLAN, Come()).state == "not begun"


def test_books_with_a_record_too_many_do_not_balance() -> None:
    report = Report(PLAN, Come(offsets=10, counts={"succeeded": 11}, finished=True, begun_at_ms=0, changed_at_ms=5))
    assert not report.balanced
    assert "do not balance" in shown(report)


def test_offsets_without_a_record_are_told() -> None:
    report = Report(PLAN, Come(offsets=10, counts={"succeeded": 8}, finished=True, begun_at_ms=0, changed_at_ms=5))
    assert report.balanced
    assert report.without_record == 2
    assert "without a record" in shown(report)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "0 s"), (59, "59 s"), (60, "1 min"), (65, "1 min 5 s"), (12_000, "3 h 20 min"), (187_200, "2 d 4 h")],
)
def test_durations_in_words(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write(path, "first")
    write(path, "second")
    assert path.read_text() == "second"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError, match="nowhere"):
        write(tmp_path / "nowhere" / "x", "text")
    with pytest.raises(UnicodeEncodeError):
        write(path, "\ud800")
    assert path.read_text() == "second"
    assert list(tmp_path.iterdir()) == [path]


def test_the_time_left_follows_the_pace_and_is_open_while_nothing_moves() -> None:
    now = 0.0
    watch = Watch(PLAN, lambda: now)
    assert watch.line(Progress(Come(offsets=2))) == "2 of 10 offsets (20%), 0 calls"
    now = 4.0
    assert watch.line(Progress(Come(offsets=6, calls=3))) == "6 of 10 offsets (60%), 3 calls, about 4 s left"
    now = 60.0
    waiting = watch.line(Progress(Come(offsets=6, calls=3), "Rokt"))
    assert waiting == "6 of 10 offsets (60%), 3 calls, waits for Rokt"
