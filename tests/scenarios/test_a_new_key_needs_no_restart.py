"""The wrong key lies in the secrets folder: events wait; the right one is put there, and work goes on by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.brokers import Broker
from infra.events import completed, encoded, reservation
from infra.rokt import Rokt
from infra.worker import API_KEY, TAG_ID, Worker, until
from worker.sandbox.app import Settings
from worker.sandbox.requests import Credentials

WRONG = "canary-wrong-key-5e0b"
CARTS = [f"cart-{n}" for n in range(12)]
NAME = "WORKER_ROKT__API_KEY"


@pytest.fixture
def rokt() -> Iterator[Rokt]:
    """Knows only the right key."""
    server = Rokt(Settings(credentials=Credentials(api_key=API_KEY, tag_id=TAG_ID)))
    yield server
    server.stop()


@pytest.fixture
def secrets(worker: Worker, tmp_path: Path) -> Path:
    """The folder that the worker reads its key from, as Kubernetes mounts it."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / NAME).symlink_to(f"..data/{NAME}")
    put(folder, WRONG)
    del worker.settings[NAME]
    worker.settings["WORKER_ROKT__CREDENTIALS_SECONDS"] = "0.1"
    worker.arguments = ["--secrets-dir", str(folder)]
    return folder


def put(folder: Path, key: str) -> None:
    version = folder / f"..version-{key}"
    version.mkdir()
    (version / NAME).write_text(key)
    (folder / "..next").symlink_to(version.name)
    (folder / "..next").replace(folder / "..data")


def test_a_key_that_is_replaced_in_the_folder_is_taken_while_the_worker_runs(
    broker: Broker, worker: Worker, secrets: Path, rokt: Rokt
) -> None:
    for cart in CARTS:
        broker.produce(worker.completed, encoded(completed(cart)), key=cart)
    worker.start()
    assert until(lambda: len(worker.lines("credentials.refused")) >= 2)
    assert worker.lines("credentials.read_again") == []

    put(secrets, API_KEY)

    outcomes = worker.read_outcomes(len(CARTS))
    assert {outcome["status"] for outcome in outcomes} == {"succeeded"}
    assert all(rokt.state_of(reservation(cart)) == "confirmed" for cart in CARTS)
    assert worker.stop() == 0
    [line] = worker.lines("credentials.read_again")
    assert line["settings"] == [NAME]
    assert worker.lines("credentials.accepted")
    assert len(worker.lines("worker.started")) == 1
    assert broker.read(f"{worker.completed}.dlq", timeout=1) == []
    assert API_KEY not in worker.output()
    assert WRONG not in worker.output()
    assert worker.lag() == 0


def test_a_key_that_cannot_be_read_changes_nothing_and_is_said_once(
    broker: Broker, worker: Worker, secrets: Path, rokt: Rokt
) -> None:
    put(secrets, API_KEY)
    worker.start()
    assert until(lambda: worker.lines("worker.started"))
    (secrets / NAME).unlink()
    assert until(lambda: worker.lines("credentials.unreadable"))
    for cart in CARTS:
        broker.produce(worker.completed, encoded(completed(cart)), key=cart)
    assert len(worker.read_outcomes(len(CARTS))) == len(CARTS)
    assert worker.stop() == 0
    [line] = worker.lines("credentials.unreadable")
    assert NAME in line["why"]
    assert API_KEY not in worker.output()
