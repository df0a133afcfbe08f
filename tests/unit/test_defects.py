"""A defect is said with its kind and its place. Its text may quote a record, so nobody hears that."""

from __future__ import annotations

import io
import sys
import threading

import click
import pytest
from click.testing import CliRunner

from worker.commands.speaking import ends_well
from worker.errors import DeliveryFailed, words
from worker.process import on_defects
from worker.telemetry import logs

CANARY = "canary-7f3a"


def strike() -> None:
    raise LookupError(CANARY)


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """The log of a process whose defects are taken care of."""
    for hooked, name in ((sys, "excepthook"), (threading, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(hooked, name, getattr(hooked, name))
    said = io.StringIO()
    on_defects(logs.configure("json", "info", said))
    return said


def said_of_it(out: io.StringIO) -> None:
    assert '"event":"worker.defect"' in out.getvalue()
    assert '"exception":"LookupError"' in out.getvalue()
    assert "in strike" in out.getvalue()
    assert CANARY not in out.getvalue()


def test_one_that_ends_the_process_goes_into_the_log(out: io.StringIO) -> None:
    with pytest.raises(LookupError) as struck:
        strike()
    sys.excepthook(struck.type, struck.value, struck.tb)
    said_of_it(out)


def test_one_that_ends_a_thread_does_too(out: io.StringIO) -> None:
    thread = threading.Thread(target=strike, name="kafka-producer")
    thread.start()
    thread.join()
    said_of_it(out)
    assert '"thread":"kafka-producer"' in out.getvalue()


def test_so_does_one_that_nobody_can_be_told_of(out: io.StringIO) -> None:
    class Closing:
        def __del__(self) -> None:
            strike()

    Closing()
    said_of_it(out)


def test_only_what_was_raised_on_purpose_speaks_for_itself() -> None:
    assert words(DeliveryFailed("outcomes: too large")) == "outcomes: too large"
    assert words(LookupError(CANARY)) == "a defect (LookupError)"


def test_a_command_that_meets_one_says_where() -> None:
    command = click.command()(ends_well(strike))
    done = CliRunner().invoke(command)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "in strike" in done.stderr
    assert "LookupError: this is a defect" in done.stderr
    assert CANARY not in done.stderr


def test_a_command_that_is_used_wrongly_is_told_so_by_click() -> None:
    @click.command()
    @ends_well
    def command() -> None:
        raise click.UsageError("one of them is needed")

    done = CliRunner().invoke(command)
    assert (done.exit_code, "one of them is needed" in done.stderr) == (2, True)
