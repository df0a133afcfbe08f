"""Confirm, cancel and release come from topics that have no order among them; Rokt ends in the same state."""

from __future__ import annotations

from infra.brokers import Broker
from infra.events import abandoned, cancelled, completed, encoded, reservation
from infra.rokt import Rokt
from infra.worker import Worker, until


def test_a_release_of_what_is_confirmed_is_superseded(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    broker.produce(worker.completed, encoded(completed("ada", items=2)), key="ada")
    worker.start()
    assert worker.read_outcomes(1)
    broker.produce(worker.abandoned, encoded(abandoned("ada", items=2)), key="ada")

    outcome = worker.read_outcomes(2)[1]
    assert (outcome["operation"], outcome["status"], outcome["httpStatus"]) == ("release", "superseded", None)
    assert worker.all_committed()
    assert rokt.calls("release") == []
    assert rokt.state_of(reservation("ada")) == "confirmed"


def test_a_release_keeps_the_items_that_are_not_sold(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    broker.produce(worker.completed, encoded(completed("ada", items=1)), key="ada")
    worker.start()
    assert worker.read_outcomes(1)
    broker.produce(worker.abandoned, encoded(abandoned("ada", items=3)), key="ada")

    outcome = worker.read_outcomes(2)[1]
    assert outcome["status"] == "succeeded"
    assert [rokt.state_of(reservation("ada", n)) for n in range(3)] == ["confirmed", "released", "released"]
    assert rokt.summary()["release_of_confirmed"] == 0


def test_a_cancel_that_comes_first_waits_for_its_confirm_and_holds_up_nobody(
    broker: Broker, worker: Worker, rokt: Rokt
) -> None:
    worker.settings["WORKER_CANCEL__WAIT_SECONDS"] = "60"
    broker.produce(worker.completed, encoded(completed("bob")), key="bob")
    worker.start()
    assert worker.read_outcomes(1)
    broker.produce(worker.cancelled, encoded(cancelled("ada", items=2)), partition=0)
    broker.produce(worker.cancelled, encoded(cancelled("bob")), partition=0)
    assert [outcome["cartId"] for outcome in worker.read_outcomes(2)] == ["bob", "bob"]
    assert rokt.state_of(reservation("ada")) is None

    broker.produce(worker.completed, encoded(completed("ada", items=2)), key="ada")
    outcomes = worker.read_outcomes(5)[2:]
    assert [outcome["operation"] for outcome in outcomes] == ["confirm", "cancel", "cancel"]
    assert {outcome["status"] for outcome in outcomes} == {"succeeded"}
    assert worker.all_committed()
    assert [rokt.state_of(reservation("ada", n)) for n in range(2)] == ["cancelled", "cancelled"]


def test_a_cancel_whose_confirm_does_not_come_is_sent_and_a_later_confirm_leaves_its_items_out(
    broker: Broker, worker: Worker, rokt: Rokt
) -> None:
    broker.produce(worker.cancelled, encoded(cancelled("ada", items=1)), key="ada")
    worker.start()
    [cancel] = worker.read_outcomes(1)
    assert (cancel["operation"], len(rokt.calls("cancel"))) == ("cancel", 1)

    broker.produce(worker.completed, encoded(completed("ada", items=2)), key="ada")
    confirm = worker.read_outcomes(2)[1]
    assert confirm["status"] == "succeeded"
    assert [item["itemReservationId"] for item in confirm["items"]] == [reservation("ada", 1)]
    assert rokt.state_of(reservation("ada", 0)) != "confirmed"
    assert rokt.state_of(reservation("ada", 1)) == "confirmed"


def test_a_confirm_of_an_order_that_is_cancelled_is_superseded(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    broker.produce(worker.cancelled, encoded(cancelled("ada", items=0)), key="ada")
    worker.start()
    assert broker.read(f"{worker.cancelled}.dlq", 1, 30)
    broker.produce(worker.completed, encoded(completed("ada", items=2)), key="ada")

    [outcome] = worker.read_outcomes(1)
    assert (outcome["operation"], outcome["status"]) == ("confirm", "superseded")
    assert rokt.calls() == []


def test_a_cancel_of_a_whole_order_cancels_every_item_that_was_confirmed_for_it(
    broker: Broker, worker: Worker, rokt: Rokt
) -> None:
    broker.produce(worker.completed, encoded(completed("ada", items=3)), key="ada")
    broker.produce(worker.cancelled, encoded(cancelled("ada", items=0, cartId=None)))
    worker.start()

    assert [o["operation"] for o in worker.read_outcomes(4)] == ["confirm", "cancel", "cancel", "cancel"]
    assert [rokt.state_of(reservation("ada", n)) for n in range(3)] == ["cancelled"] * 3


def test_an_item_without_a_reservation_is_cancelled_by_the_one_that_rokt_answered_for_it(
    broker: Broker, worker: Worker, rokt: Rokt
) -> None:
    event = completed("ada")
    del event["items"][0]["itemReservationId"]
    broker.produce(worker.completed, encoded(event), key="ada")
    event = cancelled("ada")
    del event["items"][0]["itemReservationId"]
    broker.produce(worker.cancelled, encoded(event), key="ada")
    worker.start()

    outcomes = worker.read_outcomes(2)
    assert [outcome["operation"] for outcome in outcomes] == ["confirm", "cancel"]
    assert [held["state"] for held in rokt.reservations().values()] == ["cancelled"]
    assert until(lambda: worker.lag() == 0)
