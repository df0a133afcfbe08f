"""Credentials, prices and customers' data go to Rokt and into dead letters, and are said nowhere else.

Every field of every event holds something private, Rokt quotes it in each answer, and nearly everything goes wrong.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.brokers import Broker
from infra.canaries import HEADERS, IN_RECORDS, KEY, OTLP_KEY, TO_ROKT, found
from infra.private_story import private_story

BYTES = tuple((name, value.encode()) for name, value in HEADERS)
CONTRACT = {
    "accept",
    "accept-encoding",
    "accept-language",
    "content-length",
    "content-type",
    "host",
    "idempotency-key",
    "rokt-api-key",
    "rokt-session-id",
    "rokt-tag-id",
    "traceparent",
    "user-agent",
}


EVENTS_TOLD = ("/ in the end", "/metrics in the end", "/metrics while refused")
STATUSES = {"succeeded", "duplicate", "rejected", "superseded", "dead"}
REASONS = {b"rejected", b"item-rejected", b"undecodable", b"invalid", b"nothing-to-cancel", b"unknown-outcome"}


@pytest.mark.parametrize(
    ("broker", "style"),
    [
        ("embedded", "json"),
        ("embedded", "console"),
        pytest.param("kafka", "json", marks=pytest.mark.real_kafka),
    ],
    indirect=["broker"],
)
def test_what_is_private_is_for_rokt_and_dead_letters_only(broker: Broker, style: str, tmp_path: Path) -> None:
    with private_story(broker, tmp_path) as story:
        story.worker.settings["WORKER_LOG__FORMAT"] = style
        story.live()

    assert {where: names for where, text in story.said.items() if (names := found(text))} == {}

    assert all("poison" in story.said[where] for where in ("the log", "the spans", "the ledger"))
    assert all(story.worker.completed in story.said[where] for where in ("the metrics", *EVENTS_TOLD))
    assert "sasl.password = [redacted]" in story.said["the log"]
    assert {json.loads(outcome.value or b"")["status"] for outcome in story.outcomes} == STATUSES
    assert {letter.header("dlq.reason") for letter in story.letters} == REASONS

    heard = story.rokt.heard
    assert {name for one in heard for name in found(one.text)} == {*TO_ROKT, "the API key"}
    assert {name for one in heard for name in found(one.body) | found(one.path)} <= TO_ROKT.keys()
    assert {name for one in heard for name in one.headers} <= CONTRACT
    originals = [(letter.key, letter.value, letter.headers[: len(HEADERS)]) for letter in story.letters]
    assert {(key, headers) for key, _, headers in originals} == {(KEY.encode(), BYTES)}
    assert {name for original in originals for name in found(str(original))} == {*TO_ROKT, *IN_RECORDS}
    answers = [letter.header("dlq.http.body") or b"" for letter in story.letters]
    assert {name for answer in answers for name in found(answer)} == TO_ROKT.keys()
    assert {one.headers["x-otlp-key"] for one in story.otlp.heard} == {OTLP_KEY}
