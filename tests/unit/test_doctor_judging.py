"""What the doctor makes of each answer."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from worker.decode.schemas import FILES, Resolved, Unusable, load, resolve
from worker.doctor.finding import Finding, State, any_red, green, red, yellow
from worker.doctor.judging.clocks import Heard, judge_clock
from worker.doctor.judging.group import Group, Member, judge_group
from worker.doctor.judging.ledger import judge_ledger
from worker.doctor.judging.registry import judge_read, judge_unavailable, judge_written
from worker.doctor.judging.rokt import judge_placements
from worker.doctor.judging.settings import judge_settings
from worker.doctor.judging.topics import judge_topics
from worker.ledger.inspecting import Inspection
from worker.rokt.answers import Accepted, Answer, Conflict, Denied, Failed, Refused, Throttled
from worker.topics.judging import Fault, Found
from worker.topics.needed import needed

URL = "https://api.rokt.example"
READERS: dict[Any, dict[str, Any]] = {kind: load(name) for kind, name in FILES.items()}


def states(findings: list[Finding]) -> list[State]:
    return [finding.state for finding in findings]


def test_one_red_is_enough() -> None:
    assert not any_red([green("a", "fine"), yellow("b", "hm", "look")])
    assert any_red([green("a", "fine"), red("b", "broken", "mend")])


@pytest.mark.parametrize(
    ("answer", "state", "mend"),
    [
        (Accepted(200, ()), "green", ""),
        (Accepted(200, (), "no result in it"), "yellow", "WORKER_ROKT__BASE_URL"),
        (Denied(401, ""), "red", "WORKER_ROKT__API_KEY and WORKER_ROKT__TAG_ID"),
        (Denied(403, ""), "red", "WORKER_ROKT__API_KEY and WORKER_ROKT__TAG_ID"),
        (Refused(404, ""), "red", "WORKER_ROKT__BASE_URL"),
        (Refused(301, ""), "red", "WORKER_ROKT__BASE_URL"),
        (Refused(422, ""), "yellow", "WORKER_ROKT__TAG_ID"),
        (Conflict(409, ""), "yellow", "WORKER_ROKT__TAG_ID"),
        (Throttled(429, "", 3.0), "yellow", "ask again"),
        (Failed("server-error", "Rokt answered 503", True, 503), "yellow", "ask again"),
        (Failed("not-connected", "the name cannot be resolved", False), "red", "WORKER_ROKT__BASE_URL"),
        (Failed("no-answer", "no answer in 10 s", True), "red", "WORKER_ROKT__BASE_URL"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_rokts_answer_tells_base_url_from_credentials_from_an_outage(answer: Answer, state: State, mend: str) -> None:
    found = judge_placements(answer, URL)
    assert found.state == state
    assert mend in found.mend
    assert URL in found.what


@pytest.mark.parametrize(
    ("heard", "state"),
    [
        (Heard(100.0, 100.5, 101.0), "green"),
        (Heard(100.0, 95.5, 101.0), "green"),
        (Heard(100.0, 90.0, 101.0), "yellow"),
        (Heard(100.0, 110.0, 101.0), "yellow"),
        (Heard(100.0, 94.5, 101.0, grain=1.0), "green"),
        (Heard(100.0, 103.0, 120.0), "green"),
    ],
)
def test_a_clock_is_only_blamed_for_what_cannot_be_the_way_there_and_back(heard: Heard, state: State) -> None:
    assert judge_clock("clock", "its clock", heard).state == state


def test_a_skewed_clock_is_told_with_its_direction() -> None:
    assert "its clock is 60 s behind" in judge_clock("clock", "its clock", Heard(100.0, 40.0, 100.2)).what
    assert "its clock is 60 s ahead of" in judge_clock("clock", "its clock", Heard(100.0, 160.2, 100.2)).what


def member(*partitions: int, topic: str = "a") -> Member:
    return Member("/10.0.0.1", frozenset((topic, partition) for partition in partitions))


@pytest.mark.parametrize(
    ("group", "state", "said"),
    [
        (Group(False, ()), "green", "no worker runs"),
        (Group(False, (member(0), member(1))), "green", "2 workers for 2 partitions"),
        (Group(False, (member(0), member(1), member())), "yellow", "3 workers for 2 partitions: 1 without any"),
        (Group(True, (member(), member())), "yellow", "sharing out"),
        (Group(False, (member(0), member(1), member(0, topic="stranger"))), "yellow", "stranger"),
    ],
)
def test_the_group_is_measured_against_the_partitions(group: Group, state: State, said: str) -> None:
    (found,) = judge_group(group, "group", ["a"], 2)
    assert found.state == state
    assert said in found.what


def test_topics_have_a_line_for_each_role_or_for_each_fault() -> None:
    topics = needed(["a"], "out", ".dlq", ledger_days=30)
    found = {topic.name: Found(1, 1, None) for topic in topics}
    faults = [
        Fault("a", "partitions", "has 1 partition, not 6", "", grave=False),
        Fault("a.dlq", "missing", "does not exist", "make it", grave=True),
        Fault("out", "retention", "keeps records for 1 d", "raise it", grave=False),
    ]
    assert [(f.check, f.state) for f in judge_topics(topics, found, faults)] == [
        ("source topics", "green"),
        ("dead-letter topics", "red"),
        ("outcomes topic", "yellow"),
    ]


SOUND = Inspection("db:5432/ledger", 2, 2)


@pytest.mark.parametrize(
    ("found", "expected", "said"),
    [
        (SOUND, ["green"], "can be written"),
        (replace(SOUND, version=0), ["green"], "the first worker makes it"),
        (replace(SOUND, version=1), ["green"], "up to 2"),
        (replace(SOUND, version=3), ["red"], "later version"),
        (replace(SOUND, unwritable="database is locked"), ["red"], "locked"),
        (replace(SOUND, lasting=False), ["green", "yellow"], "written"),
        (replace(SOUND, clock=(100.0, 100.1, 100.2)), ["green", "green"], "written"),
        (replace(SOUND, clock=(100.0, 500.0, 100.2)), ["green", "yellow"], "written"),
    ],
)
def test_the_ledger_is_known_writable_and_on_time(found: Inspection, expected: list[State], said: str) -> None:
    findings = judge_ledger(found)
    assert states(findings) == expected
    assert said in findings[0].what


def resolved(**fields: Any) -> Resolved | Unusable:
    """The schema of a cancel with these of its fields changed; None leaves one out."""
    schema = load("order-cancelled")
    schema["fields"] = [
        {**field, **({"type": fields[field["name"]]} if field["name"] in fields else {})}
        for field in schema["fields"]
        if fields.get(field["name"], "") is not None
    ]
    return resolve(json.dumps(schema), {}, READERS)


def test_a_producers_schema_that_can_be_read_is_sound() -> None:
    assert states(judge_read({"a-value": resolved(), "b-value": None})) == ["green"]
    assert states(judge_read({"a-value": None})) == ["green"]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (resolved(orderId=None), "orderId is not written"),
        (resolved(orderId="long"), "orderId is written as long, and read as string"),
        (Unusable("the writer's schema is none of ours"), "none of ours"),
    ],
)
def test_a_producers_schema_that_cannot_be_read_is_named_with_the_field(schema: Resolved | Unusable, said: str) -> None:
    (found,) = judge_read({"a-value": resolved(), "b-value": schema})
    assert found.state == "red"
    assert "b-value" in found.what
    assert said in found.what


def test_the_outcomes_schema_is_registered_or_can_be() -> None:
    assert judge_written("registered", "out-value", auto_register=False).state == "green"
    assert judge_written("registrable", "out-value", auto_register=True).state == "green"
    assert judge_written("registrable", "out-value", auto_register=False).state == "red"
    assert judge_written("incompatible", "out-value", auto_register=True).state == "red"


@pytest.mark.parametrize(
    ("status", "mend"),
    [(None, "whether it is up"), (401, "password"), (404, "whole address"), (500, "the registry's log")],
)
def test_a_registry_that_does_not_answer_comes_with_the_mend(status: int | None, mend: str) -> None:
    found = judge_unavailable("no", status)
    assert found.state == "red"
    assert mend in found.mend


def test_settings_are_counted_by_where_they_came_from() -> None:
    origins = {"WORKER_A": ["environment"], "WORKER_B": ["environment", "worker.env"], "WORKER_C": ["worker.env"]}
    (found,) = judge_settings(origins)
    assert found.state == "green"
    assert "2 from the environment, 1 from worker.env" in found.what


def test_keys_that_are_never_read_again_are_worth_a_look() -> None:
    origins = {"WORKER_ROKT__API_KEY": ["environment", "secrets"]}
    findings = judge_settings(origins)
    assert states(findings) == ["green", "yellow"]
    assert "WORKER_ROKT__API_KEY" in findings[1].what
