"""Whatever a person or a program asks of a worker's past: ids, statuses and reasons are told, and nothing private."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner

from infra.brokers import Broker
from infra.canaries import API_KEY, found
from infra.commands import rokt_worker
from infra.ports import free_port
from infra.private_story import PrivateStory, private_story
from worker.commands.main import main
from worker.telemetry.names import Reason

# The others would wait for ever: there is no other cart's call to compare with.
REDRIVEN = tuple(f"--reason={each}" for each in ("rejected", "item-rejected", "undecodable", "invalid"))
ASKED = ("fine", "order-refused", "poison", "nobody", "gone-reservation-0")


@pytest.fixture
def story(embedded: Broker, tmp_path: Path) -> Iterator[PrivateStory]:
    """One that is over: its dead letters lie there, and its Rokt refuses the same as before."""
    gc_before = gc.get_threshold()
    with private_story(embedded, tmp_path) as lived:
        lived.live()
        lived.said.clear()
        yield lived
    gc.set_threshold(*gc_before)  # a dry run sets this process's collector as a worker's is
    gc.unfreeze()


def asked(story: PrivateStory, *arguments: str) -> str:
    """What a command says that only looks; kept for the search."""
    done = CliRunner().invoke(main, arguments, env=story.worker.settings)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code in (0, 1), done.output
    story.said[" ".join(arguments)] = done.stdout + done.stderr
    return done.stdout


def ran(story: PrivateStory, *arguments: str, **settings: str) -> str:
    """The same of one that does something, and ends its process."""
    done = rokt_worker(*arguments, settings=story.worker.settings | settings, folder=story.worker.folder)
    story.said[" ".join((*arguments, *settings))] = done.out + done.err
    return done.out


def test_no_command_shows_what_is_private(story: PrivateStory) -> None:
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    nowhere = {"WORKER_ROKT__BASE_URL": f"http://127.0.0.1:{free_port()}", "WORKER_SHUTDOWN__DRAIN_SECONDS": "0.1"}
    listed = json.loads(asked(story, "dlq", "list", "--each", "--json"))["letters"]
    letters = {(row["reason"], row["httpStatus"]): row["place"] for row in listed}
    shown = [asked(story, "dlq", "show", place, *form) for place in letters.values() for form in ((), ("--json",))]
    for id_ in ASKED:
        asked(story, "explain", id_)
        asked(story, "explain", id_, "--topics", "--json")
    for arguments in (("dlq", "list", "--each"), ("dlq", "list", "--json"), ("topics",), ("topics", "--check")):
        asked(story, *arguments)
    for form in ((), ("--json",)):
        asked(story, "replay", "--since", since, "--dry-run", *form)
        ran(story, "doctor", *form)
    ran(story, "dlq", "redrive", *REDRIVEN, "--timeout", "1", **nowhere)
    redriven = ran(story, "dlq", "redrive", *REDRIVEN, "--json")
    ran(story, "replay", "--since", since)
    ran(story, "dlq", "discard", "--all", "--because", "a test")

    assert {where: names for where, text in story.said.items() if (names := found(text))} == {}
    assert {reason for reason, _ in letters} == set(get_args(Reason)) - {"exhausted"}
    assert all(text for text in story.said.values())
    assert any("is too much for" in text for text in shown)
    assert json.loads(redriven)["results"]["dead-lettered"] > 10
    assert {one.headers["rokt-api-key"] for one in story.rokt.heard} == {API_KEY}
