"""`rokt-worker placements`: yes, no, or why neither; traced, bounded in time, and without what is personal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from infra import canaries
from infra.commands import Said, rokt_worker
from infra.listening import Heard, Listening, echo
from infra.listening import Said as Answered
from infra.ports import free_port
from infra.rokt import Rokt
from infra.worker import API_KEY, TAG_ID
from worker.demo.spans import Collector
from worker.sandbox.app import Settings
from worker.sandbox.requests import Credentials

WHERE = ("--cart", "cart-1", "--page", "checkout.upsell")
PERSONAL = tuple(f"--attribute={name}={value}" for name, value in canaries.ATTRIBUTES.items())
PRIVATE = {
    "the API key": canaries.API_KEY,
    "the session": canaries.SESSION,
    **{f"the attribute {name}": value for name, value in canaries.ATTRIBUTES.items()},
}


@pytest.fixture
def rokt() -> Iterator[Rokt]:
    """One that takes our credentials and no others."""
    server = Rokt(Settings(credentials=Credentials(API_KEY, TAG_ID)))
    yield server
    server.stop()


@pytest.fixture
def settings(rokt: Rokt) -> dict[str, str]:
    return {
        "WORKER_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "WORKER_ROKT__BASE_URL": rokt.url,
        "WORKER_ROKT__API_KEY": API_KEY,
        "WORKER_ROKT__TAG_ID": TAG_ID,
    }


def placements(settings: Mapping[str, str], folder: Path, *arguments: str) -> Said:
    said = rokt_worker("placements", *(arguments or WHERE), settings=settings, folder=folder)
    assert API_KEY not in said.out + said.err
    return said


def test_there_is_a_placement(settings: dict[str, str], rokt: Rokt, tmp_path: Path) -> None:
    said = placements(settings, tmp_path)
    assert (said.code, said.err) == (0, "")
    first, second = said.out.splitlines()
    assert first == "There is a placement to show."
    [call] = rokt.calls()
    assert (call["operation"], call["cart_id"], call["key"]) == ("placements", "cart-1", None)
    assert second.startswith("answer 200 in 0.")
    assert second.endswith(f" s, trace {call['traceparent'].split('-')[1]}")


def test_there_is_no_placement_which_is_an_answer_too(settings: dict[str, str], tmp_path: Path) -> None:
    said = placements(settings, tmp_path, "--cart", "cart-1", "--page", "empty-page", "--json")
    assert (said.code, said.err) == (0, "")
    assert set(said.document) == {"result", "status", "seconds", "traceId"}
    assert (said.document["result"], said.document["status"]) == (False, 200)


def test_the_settings_may_stand_in_a_file(settings: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "worker.env"
    with Collector() as collector:
        told = settings | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        file.write_text("".join(f"{name}={value}\n" for name, value in told.items()))
        assert placements({}, tmp_path, *WHERE, "--env-file", str(file)).code == 0
    assert [span.name for span in collector.spans] == ["POST /v1/Placements/any"]


@pytest.mark.parametrize(
    ("name", "status"), [("WORKER_ROKT__API_KEY", 401), ("WORKER_ROKT__TAG_ID", 403)], ids=["key", "tag id"]
)
def test_wrong_credentials(settings: dict[str, str], tmp_path: Path, name: str, status: int) -> None:
    said = placements(settings | {name: "canary-of-another"}, tmp_path, *WHERE, "--json")
    assert (said.code, said.document["result"], said.document["status"]) == (1, None, status)
    assert f"refuses these credentials ({status}); mend: give the key and the tag id" in said.err
    assert ("Rokt said: Forbidden: The tag id does not belong" in said.err) == (status == 403)
    assert "canary-of-another" not in said.out + said.err


def test_an_outage(settings: dict[str, str], rokt: Rokt, tmp_path: Path) -> None:
    rokt.faults(outage=True, retry_after=7)
    said = placements(settings, tmp_path)
    assert (said.code, said.out.splitlines()[0]) == (1, "Whether there is a placement to show is not known.")
    assert "is in trouble: Rokt answered 503; mend: ask again in 7 s" in said.err
    assert len(rokt.calls()) == 1


def test_too_many_calls(settings: dict[str, str], rokt: Rokt, tmp_path: Path) -> None:
    rokt.faults(errors={"429": 1.0})
    said = placements(settings, tmp_path)
    assert said.code == 1
    assert "takes no more calls now (429); mend: ask again" in said.err


def test_an_answer_that_hangs_is_waited_for_as_long_as_an_attempt_may_take(
    settings: dict[str, str], rokt: Rokt, tmp_path: Path
) -> None:
    rokt.faults(timeout_before=1.0)
    said = placements(settings | {"WORKER_ROKT__TIMEOUT_SECONDS": "0.3"}, tmp_path, *WHERE, "--json")
    assert (said.code, said.document["result"], said.document["status"]) == (1, None, None)
    assert 0.25 < said.document["seconds"] < 5
    assert "no answer in 0.3 s; mend: " in said.err


def test_nobody_is_there(settings: dict[str, str], tmp_path: Path) -> None:
    said = placements(settings | {"WORKER_ROKT__BASE_URL": f"http://127.0.0.1:{free_port()}"}, tmp_path)
    assert said.code == 1
    assert "connection refused; mend: look at WORKER_ROKT__BASE_URL" in said.err


def test_an_answer_that_cannot_be_read(settings: dict[str, str], tmp_path: Path) -> None:
    with Listening(lambda _: Answered(200, b"<html>")) as other:
        said = placements(settings | {"WORKER_ROKT__BASE_URL": other.url}, tmp_path, *WHERE, "--json")
    assert (said.code, said.document["result"], said.document["status"]) == (1, None, 200)
    assert "not as Rokt's API does: the answer's body is not the JSON expected" in said.err


def test_a_collector_that_is_away_changes_nothing(settings: dict[str, str], tmp_path: Path) -> None:
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    said = placements(settings | away, tmp_path, *WHERE, "--json")
    assert (said.code, said.document["result"]) == (0, True)


def quoted(heard: Heard) -> Answered:
    """Rokt's form of an error, whose every sentence quotes all that was sent."""
    errors = [{"code": heard.headers["rokt-session-id"], "message": heard.text, "value": heard.text}]
    return Answered(400, json.dumps({"description": heard.text, "errors": errors}).encode())


@pytest.mark.parametrize("answer", [quoted, echo], ids=["in Rokt's form", "in another one"])
def test_what_is_personal_goes_to_rokt_and_nowhere_else(
    settings: dict[str, str], tmp_path: Path, answer: Callable[[Heard], Answered]
) -> None:
    ours = settings | {"WORKER_ROKT__API_KEY": canaries.API_KEY, "WORKER_LOG__LEVEL": "debug"}
    with Listening(answer) as rokt, Listening() as otlp:
        ours |= {"WORKER_ROKT__BASE_URL": rokt.url, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url}
        said = placements(ours, tmp_path, *WHERE, *PERSONAL, "--session", canaries.SESSION)
    assert said.code == 1
    assert "refuses the question (400)" in said.err
    assert canaries.found(rokt.heard[0].text, PRIVATE) == PRIVATE.keys()
    [exported] = [heard for heard in otlp.heard if heard.path == "/v1/traces"]
    for told in (said.out, said.err, exported.text):
        assert canaries.found(told, PRIVATE) == set()
