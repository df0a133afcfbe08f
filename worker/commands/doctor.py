"""`rokt-worker doctor`: is this installation sound, and what is to be mended?"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.commands.speaking import (
    INTERRUPTED,
    Cell,
    Marked,
    Mood,
    Shown,
    Speech,
    Table,
    ends_well,
    json_option,
    leave,
    settings_options,
)
from worker.doctor.finding import Finding, State, any_red
from worker.doctor.judging.settings import judge_wrong
from worker.errors import SettingsError

if TYPE_CHECKING:
    from worker.doctor.checks import Patient

MOODS: dict[State, Mood] = {"green": "good", "yellow": "doubtful", "red": "bad"}


@click.command("doctor", short_help="Is this installation sound? A line for each check, with the mend.")
@click.option(
    "--timeout",
    "seconds",
    type=click.FloatRange(min=1, max=600),
    default=15,
    show_default=True,
    metavar="SECONDS",
    help="For each check; all are made at once.",
)
@settings_options
@json_option
@ends_well
def doctor(seconds: float, env_file: Path | None, secrets_dir: Path | None, as_json: bool) -> None:
    """Asks everything that the worker talks to, with the worker's own settings, and says what is to be mended.

    Settings, brokers, topics and their retention, the group, the schema registry and its schemas, the ledger, Rokt with
    these credentials (by Placements/any, which changes nothing), the clocks, the traces' collector. It changes nothing
    anywhere, may run beside the worker at any time, and shows no secret.

    green is sound. yellow works, or may, and is worth a look. red does not work, or loses what must not be lost.

    Exit codes: 0 nothing is red; 1 something is; 2 wrong use, or settings with which nothing can be asked.

    \b
    Examples:
      rokt-worker doctor --env-file worker.env
      rokt-worker doctor --env-file worker.env --json | jq -r '.[] | select(.state == "red").mend'
    """
    speech = Speech(as_json=as_json)
    try:
        patient = _patient(env_file, secrets_dir)
    except SettingsError as error:
        _say(judge_wrong(error.problems), speech)
        sys.exit(2)
    asyncio.run(_examined(patient, speech, seconds))


async def _examined(patient: Patient, speech: Speech, seconds: float) -> None:
    """Ends the process itself: a thread may still wait in a library for who does not answer."""
    from worker.doctor.checks import checks
    from worker.doctor.examination import examine
    from worker.telemetry import logs

    log = logs.configure(patient.settings.log.format, "error")
    try:
        with speech.waiting("asking") as now_on:
            findings = await examine(
                checks(patient, log, time.time, seconds),
                seconds=seconds,
                going_on=lambda left: now_on(f"asking: {', '.join(left)}"),
            )
    except asyncio.CancelledError:
        leave(INTERRUPTED)
    _say(findings, speech)
    leave(1 if any_red(findings) else 0)


def _patient(env_file: Path | None, secrets_dir: Path | None) -> Patient:
    from worker import loading
    from worker.doctor.checks import Patient

    settings = loading.load(os.environ, env_file, secrets_dir)
    environ = dict(os.environ)
    loading.telemetry(environ, env_file)
    return Patient(settings, loading.origins(os.environ, env_file, secrets_dir), environ)


def _say(findings: Sequence[Finding], speech: Speech) -> None:
    rows = [row for finding in findings for row in _rows(finding, people=speech.to_people)]
    shown: list[Shown] = [Table((), rows)]
    if speech.to_people:
        shown.append(_summary(findings))
    speech.answer([asdict(finding) for finding in findings], *shown)


def _summary(findings: Sequence[Finding]) -> str:
    counts = [(sum(finding.state == state for finding in findings), state) for state in MOODS]
    return "\n" + ", ".join(f"{count} {state}" for count, state in reversed(counts) if count)


def _rows(finding: Finding, *, people: bool) -> list[list[Cell]]:
    """A line in a pipe; to a person the mend is a line of its own."""
    state = Marked(finding.state, MOODS[finding.state])
    if not finding.mend:
        return [[state, finding.check, finding.what]]
    if not people:
        return [[state, finding.check, f"{finding.what}; mend: {finding.mend}"]]
    return [[state, finding.check, finding.what], ["", "", f"-> {finding.mend}"]]
