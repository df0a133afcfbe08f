"""The ledger: whether this worker knows its tables, and may write to them."""

from __future__ import annotations

from worker.doctor.finding import Finding, green, red, yellow
from worker.doctor.judging.clocks import Heard, judge_clock
from worker.ledger.inspecting import Inspection

CHECK = "ledger"


def judge_ledger(found: Inspection) -> list[Finding]:
    """A line for the ledger, and one for its clock where that is not this machine's."""
    if found.version > found.known:
        later = (
            f"{found.where} is of a later version of this worker (schema {found.version}, this one knows {found.known})"
        )
        return [red(CHECK, later, "run that version, or a later one")]
    if found.unwritable:
        return [red(CHECK, f"{found.where}: {found.unwritable}", _mend(found))]
    findings = [_state(found)]
    if not found.lasting:
        findings.append(
            yellow(
                CHECK,
                f"{found.where} acknowledges before it is safe (synchronous_commit is off): a crash makes it forget",
                "set synchronous_commit to on for the worker's user",
            )
        )
    if found.clock is not None:
        findings.append(judge_clock("ledger's clock", "the database's clock", Heard(*found.clock)))
    return findings


def _state(found: Inspection) -> Finding:
    if found.version == 0:
        return green(CHECK, f"{found.where}: not there yet, the first worker makes it")
    if found.version < found.known:
        return green(CHECK, f"{found.where}: schema {found.version}, the first worker brings it up to {found.known}")
    return green(CHECK, f"{found.where}: schema {found.version}, can be written")


def _mend(found: Inspection) -> str:
    if "locked" in found.unwritable:
        return "end the program that keeps it open for writing: a backup, a console, another tool"
    if "no writes" in found.unwritable:
        return "wait for the failover, or name the primary or all hosts in WORKER_LEDGER__URL"
    if "may not" in found.unwritable:
        return "grant the user CREATE and USAGE on the schema, and rights on its tables"
    return "run the doctor as the worker's user, or let that user read and write the file and its folder"
