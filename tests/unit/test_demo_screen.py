"""What is shown: it fits the terminal, says the same in JSON, and has no control characters where none belong."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan
from rich.console import Console

from worker.demo.books import Balance, Tally
from worker.demo.child import environment
from worker.demo.crash import Traces
from worker.demo.evidence import Evidence, Outcome, Published
from worker.demo.fates import Fate, Kind, State
from worker.demo.final import final_screen
from worker.demo.report import Report, Trace, Waits, choose_trace
from worker.demo.screen import LiveScreen, PlainScreen, Progress, Screen
from worker.demo.script import Record
from worker.demo.spans import Span, Value, read_spans

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
START = int(MOMENT.timestamp() * 1000)


def record(trace_id: str = TRACE) -> Record:
    return Record(0, "checkout-completed", "cart-0001", b"{}", 0.0, Fate(Kind.PAID, "done"), trace_id, "0" * 15 + "1")


def outcome(trace_id: str = TRACE, attempts: int = 2, status: str = "duplicate") -> Outcome:
    return Outcome(("checkout-completed", 0, 0), "key", "confirm", status, 409, attempts, trace_id, MOMENT)


def spans(trace_id: str = TRACE, attempts: int = 2) -> tuple[Span, ...]:
    conflict: dict[str, Value] = {"http.response.status_code": 409}
    answers: list[dict[str, Value]] = [{"error.type": "ReadError"}, *[conflict] * attempts]
    start = START * 1_000_000
    root = Span(trace_id, "a", "0" * 15 + "1", "process checkout-completed", start, start + 10**8, False)
    tries = [
        Span(
            trace_id,
            f"b{n}",
            "a",
            "POST /v1/Cart/confirm",
            start + n + 1,
            start + 10**7,
            n == 0,
            {"http.request.resend_count": n} | answers[n],
        )
        for n in range(attempts)
    ]
    return (root, *tries, Span(trace_id, "c", "a", "send rokt-outcomes", start + 9, start + 2 * 10**6, False))


def report(*problems: str, attempts: int = 4) -> Report:
    published = Published(record(), ("checkout-completed", 0, 0), START)
    return Report(
        carts=4000,
        seed=1,
        seconds=23.4,
        outage_seconds=4.0,
        topics={"checkout-completed": 3400, "order-cancelled": 600, "cart-abandoned": 700},
        calls={
            op: Counter(dict.fromkeys(("200", "400", "409", "422", "503", "504", "cut"), 1234))
            for op in ("confirm", "cancel", "release")
        },
        outcomes={
            "confirm": Counter(dict.fromkeys(("succeeded", "duplicate", "partial", "superseded", "rejected"), 1234))
        },
        balance=Balance(
            problems,
            {kind: Tally(1234, 1234) for kind in Kind},
            {state: Tally(1234, 1234) for state in State},
            {
                r: Tally(1234, 1234)
                for r in ("invalid", "item-rejected", "nothing-to-cancel", "rejected", "undecodable")
            },
            Traces(8.73, 97, 82, 3, 1),
        ),
        waits=Waits(0.05, 4.2, 4.6),
        spans=12,
        trace=Trace(published, outcome(), spans(attempts=attempts)),
    )


def rendered(given: Report, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False, force_terminal=False)
    console.print(final_screen(given))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_last_screen_fits_sixty_lines_and_cuts_nothing_off(width: int) -> None:
    text = rendered(report(), width)
    assert len(text.splitlines()) <= 60
    assert "…" not in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= width


def test_the_last_screen_shows_each_attempt_of_the_trace_with_its_answer() -> None:
    lines = [" ".join(line.split()) for line in rendered(report(attempts=2), 80).splitlines() if "POST" in line]
    assert lines == [
        "├── POST /v1/Cart/confirm ReadError +0.000 s 10.0 ms",
        "├── POST /v1/Cart/confirm 409 resend 1 +0.000 s 10.0 ms",
    ]


def test_books_that_do_not_balance_are_told_with_each_difference() -> None:
    text = rendered(report(*(f"difference {n}" for n in range(20))), 100)
    assert "The books do not balance, 20 wrong:" in text
    assert "difference 14\n" in text
    assert "and 5 more" in text


def test_a_difference_stands_on_one_line_however_long_it_is() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    long = "checkout-completed 0/6 (cart-0028, the same record again): 1 calls reached Rokt, none expected"
    console.print(final_screen(report(long)), crop=False)
    assert isinstance(console.file, io.StringIO)
    assert f"  {long}\n" in console.file.getvalue()


def test_the_last_screen_says_what_the_crash_came_to() -> None:
    text = " ".join(rendered(report(), 80).split())
    assert "killed (kill -9) after 8.7 s, with 97 records in hand, and started again: 82 calls" in text
    assert "3 outcomes and 1 dead letter written once more." in text


def test_a_run_without_a_trace_says_so() -> None:
    assert "No trace to show: 12 spans came." in rendered(replace(report(), trace=None), 80)


def test_the_json_report_says_what_the_screen_says() -> None:
    told = json.loads(json.dumps(report("wrong").as_json()))
    assert told["balanced"] is False
    assert told["problems"] == ["wrong"]
    assert told["events"]["total"] == 4700
    assert told["crash"] == {
        "after_seconds": 8.73,
        "records_in_hand": 97,
        "calls_made_again": 82,
        "written_again": {"outcomes": 3, "dead_letters": 1},
    }
    assert told["records"]["sold"] == {"expected": 1234, "found": 1234}
    assert told["calls"]["cancel"]["503"] == 1234
    assert told["reservations"]["held"] == {"expected": 1234, "found": 1234}
    assert told["dead_letters"]["invalid"] == {"expected": 1234, "found": 1234}
    assert [span["resend_count"] for span in told["trace"]["spans"]] == [None, 0, 1, 2, 3, None]


def evidence(*outcomes: Outcome) -> Evidence:
    published = tuple(Published(record(o.trace_id or ""), o.position, START) for o in outcomes)
    return Evidence(published, outcomes, (), (), {}, {}, {}, {}, {})


def test_the_trace_shown_is_one_whose_answer_was_lost_and_that_came_whole() -> None:
    plain, retried, lost, broken = "a" * 32, "b" * 32, "c" * 32, "d" * 32
    found = choose_trace(
        evidence(
            outcome(plain, 1, "succeeded"), outcome(retried, 2, "succeeded"), outcome(lost, 2), outcome(broken, 3)
        ),
        (*spans(plain, 1), *spans(retried), *spans(lost), *spans(broken, 2)),
    )
    assert found is not None
    assert found.published.record.trace_id == lost
    assert choose_trace(evidence(outcome(plain, 1, "succeeded")), spans(plain, 1)) is not None
    assert choose_trace(evidence(outcome(lost)), ()) is None


def test_spans_are_read_from_an_otlp_export() -> None:
    span = ProtoSpan(
        trace_id=bytes.fromhex(TRACE),
        span_id=b"\x01" * 8,
        name="POST /v1/Cart/confirm",
        start_time_unix_nano=1_000_000,
        end_time_unix_nano=3_500_000,
        status=Status(code=Status.STATUS_CODE_ERROR),
        attributes=[
            KeyValue(key="http.response.status_code", value=AnyValue(int_value=503)),
            KeyValue(key="url.full", value=AnyValue(string_value="http://rokt")),
        ],
    )
    export = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[span])])])
    (read,) = read_spans(export.SerializeToString())
    assert (read.trace_id, read.span_id, read.parent_id, read.failed) == (TRACE, "01" * 8, "", True)
    assert read.milliseconds == 2.5
    assert read.attributes == {"http.response.status_code": 503, "url.full": "http://rokt"}


def progress(elapsed: float) -> Progress:
    return Progress(elapsed, total=10, published=5, settled=3, letters=1, calls=4, lost=2, rokt="down")


def test_off_a_terminal_there_is_a_line_a_step_and_one_every_two_seconds() -> None:
    out = io.StringIO()
    with PlainScreen(Console(file=out, force_terminal=False)) as screen:
        screen.step("broker: [here]")
        for tenth in range(45):
            screen.show(progress(tenth / 10))
    lines = out.getvalue().splitlines()
    assert lines[0] == "broker: [here]"
    assert lines[1:] == [f"  {s}.0 s  {progress(s).as_text()}" for s in (2, 4)]


def test_on_a_terminal_the_display_shows_how_far_it_is_and_is_gone_at_the_end() -> None:
    out = io.StringIO()
    screen: Screen = LiveScreen(Console(file=out, force_terminal=True, width=80))
    with screen:
        screen.step("broker: here")
        screen.show(progress(1.0))
    assert "5 of 10" in out.getvalue()
    assert "Rokt is down" in out.getvalue()
    assert out.getvalue().endswith("\x1b[2K")


def test_no_setting_of_the_users_own_worker_reaches_the_demos() -> None:
    given = {
        "PATH": "/bin",
        "WORKER_ROKT__BASE_URL": "https://api.rokt.com",
        "worker_x": "1",
        "OTEL_SDK_DISABLED": "true",
    }
    environ = environment(given, "localhost:9092", "http://127.0.0.1:1", "http://127.0.0.1:2", Path("/tmp/demo"))
    assert environ["PATH"] == "/bin"
    assert environ["WORKER_ROKT__BASE_URL"] == "http://127.0.0.1:1"
    assert not {"worker_x", "OTEL_SDK_DISABLED"} & environ.keys()
