"""What the gate tells is in the log, with what to mend; a long outage does not fill it."""

import io
import json
from collections.abc import Iterable

import pytest

from worker.gate.circuit import Closed, HeldBack, Notice, Opened, Paced, StillOpen
from worker.telemetry import logs
from worker.telemetry.gate_log import teller


def told(notices: Iterable[Notice], level: str = "debug") -> list[dict[str, object]]:
    out = io.StringIO()
    tell = teller(logs.configure("json", level, out))
    for notice in notices:
        tell(notice)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_outage_is_told_with_its_reason_and_that_nothing_is_given_up() -> None:
    (line,) = told([Opened("confirm", "the last 5 calls failed: Rokt answered 503", 1.0)])
    assert (line["event"], line["level"], line["circuit"]) == ("circuit.opened", "error", "confirm")
    assert line["why"] == "the last 5 calls failed: Rokt answered 503"
    assert "nothing is given up" in str(line["mend"])


def test_refused_credentials_are_told_each_time_with_the_settings_to_check() -> None:
    lines = told(
        [Opened("credentials", "Rokt answered 401", 1.0), StillOpen("credentials", "Rokt answered 401", 3, 4.0)]
    )
    assert [(line["event"], line["level"], line["tries"]) for line in lines] == [
        ("credentials.refused", "error", 1),
        ("credentials.refused", "error", 3),
    ]
    assert all("WORKER_ROKT__API_KEY" in str(line["mend"]) for line in lines)


def test_rejections_of_all_name_the_settings_that_may_be_wrong() -> None:
    (line,) = told([Opened("rejections", "the last 50 calls, each of another cart, were all rejected", 1.0)])
    assert "WORKER_ROKT__BASE_URL" in str(line["mend"])


def test_of_canaries_that_fail_fewer_and_fewer_are_warned_of() -> None:
    lines = told([StillOpen("confirm", "why", tries, 5.0) for tries in range(2, 1001)], "warning")
    assert [line["tries"] for line in lines] == [2, 4, 8, 16, 32, 64, 128, 256, 512]


@pytest.mark.parametrize(
    ("notice", "event", "field", "value"),
    [
        (Closed("confirm", 61.23456), "circuit.closed", "open_seconds", 61.235),
        (Closed("credentials", 61.23456), "credentials.accepted", "refused_seconds", 61.235),
        (HeldBack(12.34567), "calls.held_back", "seconds", 12.346),
        (Paced(33.3333), "calls.paced", "calls_per_second", 33.33),
        (Paced(None), "calls.paced", "calls_per_second", None),
    ],
)
def test_what_ends_and_what_rokt_asks_for_is_told_in_figures(
    notice: Notice, event: str, field: str, value: object
) -> None:
    (line,) = told([notice], "warning")
    assert (line["event"], line[field]) == (event, value)
