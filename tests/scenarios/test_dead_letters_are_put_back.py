"""`rokt-worker dlq`: what was given up is seen, put back through the worker's own path, or put aside; nothing twice."""

from __future__ import annotations

import signal
import subprocess

import pytest

from infra.brokers import Broker
from infra.commands import environment
from infra.dead_letters import DeadLetters, command, succeeded
from infra.events import SESSION, completed, encoded, reservation
from infra.ports import free_port
from infra.rokt import Rokt
from infra.worker import API_KEY, Worker, tell, until

PRICE = "4711.99"
PERSONAL = ("canary-mail-77", PRICE, "xx-canary", SESSION, API_KEY, "canary-of-a-header")
TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = [("traceparent", f"00-{TRACE}-b7ad6b7169203331-01"), ("shop", "canary-of-a-header")]


@pytest.fixture
def letters(worker: Worker) -> DeadLetters:
    return DeadLetters(worker, PERSONAL)


def refused(broker: Broker, worker: Worker, rokt: Rokt, *carts: str) -> None:
    """These carts' confirms are dead-lettered, since Rokt refuses them."""
    rokt.faults(errors={"400": 1}, only_carts="eve")
    for cart in carts:
        event = completed(cart, attributes={"email": "canary-mail-77@example.com"}, locale="xx-canary")
        event["items"] = [item | {"unitPrice": PRICE, "totalPrice": PRICE} for item in event["items"]]
        broker.produce(worker.completed, encoded(event), key=cart, headers=HEADERS)
    worker.start()
    assert broker.read(f"{worker.completed}.dlq", len(carts), 30)
    assert worker.all_committed()


def keys(rokt: Rokt, cart: str) -> list[str]:
    return [call["key"] for call in rokt.calls("confirm") if call["cart_id"] == cart]


def test_a_refused_call_is_shown_redriven_once_and_then_done(
    broker: Broker, worker: Worker, rokt: Rokt, letters: DeadLetters
) -> None:
    broker.produce(worker.completed, b'{"cartId": "canary-mail-77', key="broken")
    refused(broker, worker, rokt, "eve")  # and the worker goes on running
    assert len(broker.read(f"{worker.completed}.dlq", 2, 30)) == 2

    told = letters.list()
    assert {(kind.reason, kind.http_status, kind.open) for kind in told.kinds} == {
        ("rejected", 400, 1),
        ("undecodable", None, 1),
    }
    [eve] = [row for row in told.letters if row.reason == "rejected"]
    [broken] = [row for row in told.letters if row.reason == "undecodable"]
    assert (eve.cart_id, eve.order_id, eve.attempts, eve.trace_id) == ("eve", "order-eve", 1, TRACE)
    assert [row.place for row in letters.list("--order", "order-eve").letters] == [eve.place]

    shown = letters.show(eve.place)
    assert shown.event is not None
    assert [item.item_reservation_id for item in shown.event.items] == [reservation("eve")]
    assert [(entry.idempotency_key, entry.status) for entry in shown.ledger] == [(eve.idempotency_key, "rejected")]
    assert [(header.name, header.value) for header in shown.headers] == [HEADERS[0], ("shop", None)]
    assert (shown.answer or "").startswith("This error was ordered")
    assert "a key of its own" in shown.mend

    rokt.faults()
    dry = letters.redrive("--all", "--dry-run")
    assert (dry.letters, dry.before.states.open, len(keys(rokt, "eve"))) == (2, 2, 1)
    done = letters.redrive("--all")
    assert succeeded(done) == {"succeeded": 1, "dead-lettered": 1}
    first, second = keys(rokt, "eve")
    assert first == eve.idempotency_key != second
    assert rokt.state_of(reservation("eve")) == "confirmed"
    assert [outcome["status"] for outcome in worker.read_outcomes(2)] == ["rejected", "succeeded"]

    again = letters.redrive(eve.place, broken.place)
    assert (again.letters, len(keys(rokt, "eve"))) == (0, 2)
    now = letters.list("--state", "all")
    assert {row.place: (row.state, row.redrives) for row in now.letters if row.place in (eve.place, broken.place)} == {
        eve.place: ("redriven", 0),
        broken.place: ("redriven", 0),
    }
    [newer] = [row for row in now.letters if row.state == "open"]
    assert (newer.reason, newer.redrives) == ("undecodable", 1)
    marked = letters.show(eve.place).mark
    assert marked is not None
    assert (marked.result, marked.trace_id) == ("succeeded", TRACE)

    kept = letters.redrive("--all", "--max-redrives", "1")
    assert (kept.letters, kept.left_alone.redriven_too_often, succeeded(kept)) == (1, 1, {})
    assert letters.discard("--all", "--because", "a test", "--dry-run").discarded == 0
    assert letters.discard("--reason", "undecodable", "--because", "a test", "--by", "ada").discarded == 1
    assert letters.discard("--reason", "undecodable", "--because", "a test", "--by", "bob").discarded == 0
    aside = letters.show(newer.place).mark
    assert aside is not None
    assert (aside.state, aside.by, aside.because) == ("discarded", "ada", "a test")
    assert letters.redrive("--all", "--dry-run").letters == 0
    assert len(broker.read(worker.completed, 2)) == 2  # nothing was written there
    assert worker.lag() == 0
    text = letters.said("list", "--state", "all")
    assert text.code == 0
    assert "2 redriven, 1 discarded." in text.out


def test_of_a_call_that_was_taken_in_part_only_the_rest_is_sent_again(
    broker: Broker, worker: Worker, rokt: Rokt, letters: DeadLetters
) -> None:
    event = completed("ada", items=3)
    event["items"][1]["cartItemId"] = "fail-1"
    broker.produce(worker.completed, encoded(event), key="ada")
    worker.start()
    assert broker.read(f"{worker.completed}.dlq", 1, 30)
    assert worker.read_outcomes(1)
    assert worker.stop() == 0

    assert succeeded(letters.redrive("--reason", "item-rejected")) == {"dead-lettered": 1}  # it fails as before
    first, second = rokt.calls("confirm")
    assert second["reservation_ids"] == [reservation("ada", 1)]
    assert first["key"] != second["key"]
    [newer] = letters.list().letters
    assert (newer.reason, newer.redrives, newer.idempotency_key) == ("item-rejected", 1, second["key"])


def test_an_unknown_outcome_is_asked_for_again_under_the_same_key(
    broker: Broker, worker: Worker, rokt: Rokt, letters: DeadLetters
) -> None:
    rokt.faults(reset_after=1)
    broker.produce(worker.completed, encoded(completed("eve")), key="eve")
    worker.start()
    assert until(lambda: rokt.calls("confirm"))
    rokt.faults(errors={"404": 1})
    [letter] = broker.read(f"{worker.completed}.dlq", 1, 30)
    assert letter.header("dlq.reason") == b"unknown-outcome"
    assert worker.all_committed()
    assert worker.stop() == 0

    rokt.faults()
    assert succeeded(letters.redrive("--all")) == {"succeeded": 1}
    assert len(set(keys(rokt, "eve"))) == 1
    assert [outcome["status"] for outcome in worker.read_outcomes(2)] == ["dead", "duplicate"]


def test_a_redrive_that_is_killed_goes_on_when_it_is_run_again(
    broker: Broker, worker: Worker, rokt: Rokt, letters: DeadLetters
) -> None:
    worker.settings |= {"WORKER_ROKT__TIMEOUT_SECONDS": "1", "WORKER_LEDGER__LEASE_SECONDS": "1.5"}
    carts = [f"eve-{n}" for n in range(12)]
    refused(broker, worker, rokt, *carts)
    assert worker.stop() == 0

    rokt.faults(timeout_after=1, only_carts="eve-1", hang_seconds=60)  # eve-1, eve-10, eve-11: done, and not answered
    redrive = subprocess.Popen(
        command(worker, "redrive", "--all"),
        env=environment(worker.settings),
        cwd=worker.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert until(lambda: len({call["cart_id"] for call in rokt.calls("confirm") if call["status"] != 400}) == 12)
    finally:
        redrive.kill()
        redrive.wait()

    rokt.faults()
    done = letters.redrive("--all")
    assert done.letters >= 3
    assert succeeded(done).keys() <= {"succeeded", "settled before"}
    assert letters.list("--state", "all").states.redriven == 12
    for cart in carts:
        assert rokt.state_of(reservation(cart)) == "confirmed"
        assert len(set(keys(rokt, cart))) == 2  # the refused one's, and that of all that came after
    applied = [call["cart_id"] for call in rokt.calls("confirm") if call["applied"]]
    assert sorted(applied) == sorted(carts)


def test_while_rokt_is_away_it_waits_says_so_and_can_be_stopped(
    broker: Broker, worker: Worker, rokt: Rokt, letters: DeadLetters
) -> None:
    refused(broker, worker, rokt, "eve-1", "eve-2")
    assert worker.stop() == 0
    nowhere = {"WORKER_ROKT__BASE_URL": f"http://127.0.0.1:{free_port()}", "WORKER_SHUTDOWN__DRAIN_SECONDS": "0.2"}
    told = letters.redrive("--all", "--timeout", "1", code=1, **nowhere)
    assert (told.ended, told.unsettled, succeeded(told)) == ("timed out", told.letters, {})
    assert any("call" in each for each in told.waited_for)

    redrive = subprocess.Popen(
        command(worker, "redrive", "--all"),
        env=environment(worker.settings | nowhere),
        cwd=worker.folder,
        stdout=subprocess.PIPE,
    )
    tell(redrive, signal.SIGTERM)
    out, _ = redrive.communicate(timeout=30)
    assert (redrive.returncode, b"Stopped. Run it again" in out) == (130, True)
    rokt.faults()
    assert succeeded(letters.redrive("--cart", "eve-1", "--cart", "eve-2")) == {"succeeded": 2}
    assert letters.list().states.open == 0
