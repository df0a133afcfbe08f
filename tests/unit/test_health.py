"""What the probes are told: alive, ready, and what holds the worker up."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from worker.gate.circuit import CircuitName, OpenCircuit
from worker.gate.gate import GateState
from worker.health import application
from worker.state import State
from worker.unready import unready

QUIET = GateState((), {}, {}, 0, 0.0, None)
READY = State(
    idle_seconds=0.1,
    joined=True,
    brokers_down=False,
    gate=QUIET,
    ledger_down=False,
    stopping=False,
    partitions=(),
    under_way=0,
    lanes=0,
    stalls=(),
    retention_left_seconds=None,
    records_lost=0,
)


def shut(*circuits: CircuitName) -> State:
    return replace(READY, gate=replace(QUIET, circuits=tuple(OpenCircuit(name, "why", 12.5) for name in circuits)))


def asked(path: str, state: State) -> httpx.Response:
    async def metrics() -> bytes:
        return b"rokt_circuit_open 0\n"

    async def main() -> httpx.Response:
        app = application(lambda: state, metrics, lambda _: "<p>a page</p>")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://worker") as client:
            return await client.get(path)

    return asyncio.run(main())


def test_a_worker_that_has_all_it_needs_is_alive_and_ready() -> None:
    assert unready(READY) == []
    assert [asked(path, READY).status_code for path in ("/livez", "/readyz")] == [200, 200]


def test_an_outage_of_rokt_does_not_make_it_unready_and_is_shown_with_its_reason_and_since_when() -> None:
    state = shut("confirm", "rejections")
    answer = asked("/readyz", state)
    assert answer.status_code == 200
    assert answer.json()["circuits"] == [
        {"circuit": "confirm", "why": "why", "seconds": 12.5},
        {"circuit": "rejections", "why": "why", "seconds": 12.5},
    ]


@pytest.mark.parametrize(
    "state",
    [
        shut("credentials"),
        replace(READY, joined=False),
        replace(READY, brokers_down=True),
        replace(READY, ledger_down=True),
        replace(READY, stopping=True),
    ],
)
def test_what_makes_it_unready_is_named_and_it_stays_alive(state: State) -> None:
    answer = asked("/readyz", state)
    assert answer.status_code == 503
    assert len(answer.json()["why"]) == 1
    assert asked("/livez", state).status_code == 200


def test_a_consumer_that_does_not_turn_is_not_alive() -> None:
    answer = asked("/livez", replace(READY, idle_seconds=61.0))
    assert (answer.status_code, answer.json()["why"]) == (503, ["the consumer's thread hangs"])


def test_what_rokt_asked_for_is_shown() -> None:
    state = replace(READY, gate=replace(QUIET, held_back_seconds=7.0, calls_per_second=50.0))
    shown: dict[str, Any] = asked("/livez", state).json()
    assert (shown["held_back_seconds"], shown["calls_per_second"]) == (7.0, 50.0)


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_the_time_left_of_the_retention_and_the_records_lost_are_told_and_change_nothing(path: str) -> None:
    answer = asked(path, replace(READY, retention_left_seconds=0.0, records_lost=7))
    assert answer.status_code == 200
    assert (answer.json()["retention_left_seconds"], answer.json()["records_lost"]) == (0.0, 7)


def test_metrics_are_served_as_prometheus_reads_them() -> None:
    answer = asked("/metrics", READY)
    assert answer.text == "rokt_circuit_open 0\n"
    assert answer.headers["content-type"].startswith("text/plain")


def test_people_get_a_page_that_no_browser_keeps_and_that_loads_nothing_else() -> None:
    answer = asked("/", READY)
    assert answer.text == "<p>a page</p>"
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
