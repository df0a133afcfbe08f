"""What a replay waits for is said in words, what holds up all of it before what holds up a part."""

from __future__ import annotations

from dataclasses import replace

import pytest

from worker.gate.circuit import OpenCircuit
from worker.gate.gate import GateState
from worker.replay.waiting import Standing, waits_for
from worker.stalls import Stall

GATE = GateState((), {}, {"confirm": 3}, 0, 0.0, None)
FINE = Standing(GATE, False, False, True, 2, 0.0, (), ())
DENIED = OpenCircuit("credentials", "401", 3.0)
OUTAGE = OpenCircuit("confirm", "503", 3.0)
STALL = Stall("orders", 1, 42, "ada", "its confirm", 70.0)


def test_nothing_is_waited_for() -> None:
    assert waits_for(FINE) == ""


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (replace(FINE, ledger_down=True), "the ledger's database"),
        (replace(FINE, brokers_down=True), "the brokers"),
        (replace(FINE, joined=False, stretches=0), "its group forms"),
        (replace(FINE, stretches=0), "other processes of this replay"),
        (replace(FINE, gate=replace(GATE, circuits=(DENIED,))), "credentials that Rokt takes (401)"),
        (replace(FINE, gate=replace(GATE, circuits=(OUTAGE,))), "Rokt (confirm: 503)"),
        (replace(FINE, gate=replace(GATE, held_back_seconds=7.2)), "for 7 s more"),
        (replace(FINE, behind_others_seconds=2.0), "live traffic"),
        (replace(FINE, stalls=(STALL,)), "its confirm (orders/1, offset 42)"),
        (replace(FINE, short=(("orders/0", 15),)), "orders/0, whose log ends at 15"),
    ],
)
def test_what_it_waits_for(standing: Standing, said: str) -> None:
    assert said in waits_for(standing)


def test_live_traffic_is_waited_for_only_by_calls_that_wait() -> None:
    assert waits_for(replace(FINE, gate=replace(GATE, waiting={"confirm": 0}), behind_others_seconds=9.0)) == ""
    assert waits_for(replace(FINE, behind_others_seconds=0.1)) == ""


def test_what_holds_up_all_comes_first() -> None:
    worst = replace(FINE, ledger_down=True, gate=replace(GATE, circuits=(OUTAGE,)), stalls=(STALL,))
    assert "ledger" in waits_for(worst)
    assert "credentials" in waits_for(replace(FINE, gate=replace(GATE, circuits=(DENIED, OUTAGE))))
