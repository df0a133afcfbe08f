"""Topics, and what the group is to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from worker.doctor.finding import Finding, green, red, yellow
from worker.topics.judging import Fault, Found
from worker.topics.needed import Needed, Role, in_role

CHECKS: dict[Role, str] = {
    "source": "source topics",
    "dead letters": "dead-letter topics",
    "outcomes": "outcomes topic",
    "transactions": "transactions topic",
}


def judge_topics(needed: Sequence[Needed], found: Mapping[str, Found], wrong: Sequence[Fault]) -> list[Finding]:
    """A line for each role of topics where all is well, else one for each fault.

    How many partitions a topic is to have is for its owner to say: here they are only counted.
    """
    findings: list[Finding] = []
    for role, check in CHECKS.items():
        names = [topic.name for topic in in_role(needed, role)]
        if not names:
            continue
        faults = [fault for fault in wrong if fault.topic in names and fault.kind != "partitions"]
        findings += [_fault(check, fault) for fault in faults] or [green(check, _sound(names, found))]
    return findings


def _fault(check: str, fault: Fault) -> Finding:
    make = red if fault.grave else yellow
    return make(check, f"{fault.topic} {fault.what}", fault.mend)


def _sound(names: Sequence[str], found: Mapping[str, Found]) -> str:
    return ", ".join(f"{name} ({_partitions(found[name].partitions)})" for name in names)


def _partitions(count: int) -> str:
    return "1 partition" if count == 1 else f"{count} partitions"
