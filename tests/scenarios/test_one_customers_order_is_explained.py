"""`rokt-worker explain`: whatever id a person has, what happened to that order is told, and nothing personal."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner

from infra.brokers import Broker
from infra.events import SESSION, abandoned, cancelled, completed, encoded, reservation
from infra.explained import checked
from infra.postgres import Postgres
from infra.postgres_ledger import PostgresLedger
from infra.rokt import Rokt
from infra.worker import API_KEY, Worker, until
from worker.commands.explain import explain

LINK = "https://jaeger.example/trace/{trace_id}"
CANARIES: dict[str, Any] = {"attributes": {"email": "canary-mail-77@example.com"}, "locale": "xx-canary"}
PRICE = "4711.99"
PERSONAL = ("canary-mail-77", "4711.99", "xx-canary", SESSION, API_KEY)
TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = [("traceparent", f"00-{TRACE}-b7ad6b7169203331-01")]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.real_postgres)])
def kept(request: pytest.FixtureRequest, worker: Worker) -> Worker:
    """A worker with its ledger in each kind of database in turn; not started yet."""
    worker.settings["WORKER_TRACING__LINK"] = LINK
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        worker.settings["WORKER_LEDGER__URL"] = PostgresLedger(server).url
    return worker


def test_a_cart_that_was_confirmed_after_a_retry_and_then_cancelled(broker: Broker, kept: Worker, rokt: Rokt) -> None:
    rokt.faults(errors={"503": 1})
    bought = priced(completed("ada", items=2, **CANARIES))
    broker.produce(kept.completed, encoded(bought), key="ada", headers=HEADERS)
    kept.start()
    assert until(lambda: len(rokt.calls()) >= 2)
    rokt.faults()
    assert kept.read_outcomes(1)
    called_off = cancelled("ada", items=1)
    broker.produce(kept.cancelled, encoded(called_off), key="ada")
    outcomes = kept.read_outcomes(2)
    assert kept.all_committed()
    confirm, cancel = outcomes[0]["idempotencyKey"], outcomes[1]["idempotencyKey"]

    told = explained(kept, "ada")
    assert told["kinds"] == ["cart"]
    assert [(call["idempotencyKey"], call["operation"], call["status"]) for call in told["calls"]] == [
        (confirm, "confirm", "succeeded"),
        (cancel, "cancel", "succeeded"),
    ]
    first = told["calls"][0]
    assert first["attempts"] == outcomes[0]["attempts"] >= 3
    assert (first["httpStatus"], first["cartId"], first["orderId"]) == (200, "ada", "order-ada")
    assert (first["eventId"], first["traceId"]) == (bought["eventId"], TRACE)
    assert first["traceLink"] == LINK.replace("{trace_id}", TRACE)
    assert first["outcomePublished"]
    assert [item["itemReservationId"] for item in first["items"]] == [reservation("ada", 0), reservation("ada", 1)]
    assert all(item["itemConfirmationId"] and item["success"] for item in first["items"])
    assert {each["id"]: each["state"] for each in told["reservations"]} == {
        reservation("ada", 0): "cancelled",
        reservation("ada", 1): "confirmed",
    }
    assert told["orders"][0]["calledOffItems"] == [
        {"cartItemId": "ada-item-0", "itemReservationId": reservation("ada", 0)}
    ]
    assert told["waits"] == []
    assert in_order(told)

    ids = {
        "order-ada": "order",
        reservation("ada", 0): "reservation",
        reservation("ada", 1): "reservation",
        bought["eventId"]: "event",
        called_off["eventId"]: "event",
        confirm: "key",
        cancel: "key",
        TRACE: "trace",
    }
    for id_, kind in ids.items():
        same = explained(kept, id_)
        assert same["kinds"] == [kind], id_
        assert [call["idempotencyKey"] for call in same["calls"]] == [confirm, cancel], id_

    whole = explained(kept, "order-ada", "--topics")
    assert [each["what"] for each in whole["happenings"] if each["what"] in ("event", "outcome")] == [
        "event",
        "event",
        "outcome",
        "outcome",
    ]
    assert f"cart ada, order order-ada, 2 items, reservations {reservation('ada', 0)}" in json.dumps(whole)
    assert whole["searched"]["topics"]["troubles"] == []
    text = said_by_a_process(kept, "ada", "--topics").out
    assert "ada is a cart" in text
    assert LINK.replace("{trace_id}", TRACE) in text


def test_a_poison_that_was_dead_lettered(broker: Broker, kept: Worker, rokt: Rokt) -> None:
    refused = completed("eve", roktSessionId=None, **CANARIES)
    place = broker.produce(kept.completed, encoded(refused), key="eve")
    broker.produce(kept.completed, b'{"cartId": "eve', key="eve")
    broker.produce(kept.completed, encoded(completed("ada")), key="ada")
    kept.start()
    assert broker.read(f"{kept.completed}.dlq", 2, 30)
    assert kept.read_outcomes(2)
    assert kept.all_committed()

    told = explained(kept, "eve", "--topics")
    [call] = told["calls"]
    assert (call["status"], call["httpStatus"], call["attempts"]) == ("rejected", 400, 1)
    letters = [each for each in told["happenings"] if each["what"] == "dead-letter"]
    assert {letter["topic"] for letter in letters} == {f"{kept.completed}.dlq"}
    assert [letter["text"].split(",")[0].split(";")[0] for letter in letters].count("dead-lettered: rejected") == 1
    assert any(letter["text"].startswith("dead-lettered: undecodable") for letter in letters)
    assert {each["text"][:31] for each in told["happenings"] if each["bad"] and each["what"] == "event"} == {
        "an event that cannot be read: n"
    }
    assert any(
        (each["topic"], each["partition"], each["offset"]) == tuple(place)
        for each in told["happenings"]
        if each["what"] == "event"
    )
    assert "order-ada" not in json.dumps(told)


def test_a_release_that_was_superseded_and_a_cancel_that_found_nothing(
    broker: Broker, kept: Worker, rokt: Rokt
) -> None:
    broker.produce(kept.completed, encoded(completed("ada")), key="ada")
    kept.start()
    assert kept.read_outcomes(1)
    broker.produce(kept.abandoned, encoded(abandoned("ada")), key="ada")
    broker.produce(kept.cancelled, encoded(cancelled("bob", items=0)), key="bob")
    assert kept.read_outcomes(2)
    assert broker.read(f"{kept.cancelled}.dlq", 1, 30)
    assert kept.all_committed()

    told = explained(kept, "ada")
    assert [(call["operation"], call["status"]) for call in told["calls"]] == [
        ("confirm", "succeeded"),
        ("release", "superseded"),
    ]
    assert any(each["text"].startswith("release superseded, not sent") for each in told["happenings"])
    bob = explained(kept, "order-bob", "--topics")
    assert bob["orders"][0]["calledOff"] == "whole"
    assert bob["waits"] == [
        "Order order-bob is called off as a whole; a confirm that is still to come will not be sent."
    ]
    assert any("nothing-to-cancel" in each["text"] for each in bob["happenings"])


def test_what_is_in_flight_is_told_while_the_worker_runs(broker: Broker, kept: Worker, rokt: Rokt) -> None:
    rokt.faults(timeout_before=1, hang_seconds=60)
    broker.produce(kept.completed, encoded(completed("ada")), key="ada")
    kept.start()
    assert until(rokt.calls)

    told = explained(kept, reservation("ada"), "--topics")
    [call] = told["calls"]
    assert (call["status"], call["inFlight"], call["ownerLives"]) == (None, True, True)
    assert told["reservations"][0]["pending"] == "confirm"
    assert any("is in flight" in sentence for sentence in told["waits"])
    assert any("not committed yet" in sentence for sentence in told["waits"])


def test_an_unknown_id_says_what_was_searched_and_ends_with_1(broker: Broker, kept: Worker, rokt: Rokt) -> None:
    broker.produce(kept.completed, encoded(completed("ada")), key="ada")
    kept.start()
    assert kept.read_outcomes(1)
    assert kept.stop() == 0

    for flags in ([], ["--topics"]):
        answer = said(kept, "nobody", *flags)
        assert (answer.code, answer.out) == (1, "")
        assert "Nothing is known of nobody." in answer.err
        assert "back to 2" in answer.err
    answer = said(kept, "nobody", "--json")
    assert answer.code == 1
    assert checked(answer.out)["kinds"] == []


def test_an_event_that_is_not_read_yet_is_found_in_its_topic(broker: Broker, kept: Worker, rokt: Rokt) -> None:
    broker.produce(kept.completed, encoded(completed("first")), key="first")
    kept.start()
    assert kept.read_outcomes(1)
    assert kept.stop() == 0
    event = completed("ada", items=2)
    broker.produce(kept.completed, encoded(event), key="ada")

    told = explained(kept, event["eventId"], "--topics")
    assert told["kinds"] == []
    assert [each["what"] for each in told["happenings"]] == ["event"]
    assert len(told["waits"]) == 1


def test_a_ledger_that_is_not_there_is_told_and_not_made(broker: Broker, worker: Worker) -> None:
    answer = said_by_a_process(worker, "ada")
    assert answer.code == 1
    assert "there is no ledger" in answer.err
    assert not (worker.folder / "ledger.db").exists()


def test_wrong_settings_end_with_2(broker: Broker, worker: Worker) -> None:
    worker.settings["WORKER_TRACING__LINK"] = "jaeger"
    answer = said(worker, "ada")
    assert answer.code == 2
    assert "WORKER_TRACING__LINK" in answer.err


def test_brokers_that_are_away_are_told_and_the_ledger_is_told_all_the_same(
    broker: Broker, worker: Worker, rokt: Rokt
) -> None:
    broker.produce(worker.completed, encoded(completed("ada")), key="ada")
    worker.start()
    assert worker.read_outcomes(1)
    assert worker.stop() == 0
    worker.settings["WORKER_KAFKA__BOOTSTRAP_SERVERS"] = "127.0.0.1:1"
    answer = said(worker, "ada", "--topics", "--json")
    assert answer.code == 1
    assert "the brokers cannot be asked" in answer.err
    assert len(checked(answer.out)["calls"]) == 1


def test_no_id_is_wrong_use(worker: Worker) -> None:
    assert said(worker, " ").code == 2


def priced(event: dict[str, Any]) -> dict[str, Any]:
    return event | {"items": [item | {"unitPrice": PRICE, "totalPrice": PRICE} for item in event["items"]]}


def in_order(told: dict[str, Any]) -> bool:
    times = [each["at"] for each in told["happenings"]]
    return times == sorted(times)


def explained(worker: Worker, id_: str, *flags: str) -> dict[str, Any]:
    answer = said(worker, id_, "--json", *flags)
    assert answer.code == 0, answer.err
    assert answer.err == ""
    return checked(answer.out)


def said(worker: Worker, id_: str, *flags: str) -> Said:
    """What the command says with the worker's own settings; nothing personal, whatever it is asked."""
    result = CliRunner().invoke(explain, [id_, *flags], env=worker.settings)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Said(result.exit_code, result.stdout, result.stderr).without_personal_data()


def said_by_a_process(worker: Worker, id_: str, *flags: str) -> Said:
    """The same, as a person starts it."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("WORKER_", "OTEL_"))}
    answer = subprocess.run(
        [*worker.command[:-1], "explain", id_, *flags],
        env=environment | worker.settings,
        cwd=worker.folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in answer.stderr, answer.stderr
    return Said(answer.returncode, answer.stdout, answer.stderr).without_personal_data()


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    def without_personal_data(self) -> Said:
        assert not [word for word in PERSONAL if word in self.out + self.err]
        return self
