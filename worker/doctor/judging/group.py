"""The consumer group: who is in it, and whether each has something to do."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from worker.doctor.finding import Finding, green, yellow

CHECK = "group"


@dataclass(frozen=True, slots=True)
class Member:
    """A process in the group, and the topics and partitions that it has."""

    host: str
    partitions: frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Group:
    """A group as the brokers have it; `rebalancing`: it is sharing out partitions at this moment."""

    rebalancing: bool
    members: tuple[Member, ...]


def judge_group(group: Group, name: str, sources: Collection[str], partitions: int) -> list[Finding]:
    """`partitions`: of all source topics together."""
    if not group.members:
        return [green(CHECK, f"{name}: no worker runs in it now")]
    count = _workers(len(group.members))
    findings = _strangers(group.members, name, sources)
    if group.rebalancing:
        findings.append(yellow(CHECK, f"{name}: {count}, sharing out partitions now", "look again in a minute"))
    elif idle := sum(not member.partitions for member in group.members):
        findings.append(
            yellow(
                CHECK,
                f"{name}: {count} for {partitions} partitions: {idle} without any",
                "run fewer workers, or give the source topics more partitions",
            )
        )
    elif not findings:
        findings.append(green(CHECK, f"{name}: {count} for {partitions} partitions"))
    return findings


def _strangers(members: Sequence[Member], name: str, sources: Collection[str]) -> list[Finding]:
    """Topics that are read in this group, and that these settings do not name."""
    others = sorted({topic for member in members for topic, _ in member.partitions} - set(sources))
    if not others:
        return []
    return [
        yellow(
            CHECK,
            f"{name}: its members read {', '.join(others)} too, which these settings do not name",
            "give the worker a group of its own in WORKER_KAFKA__GROUP_ID, or all workers the same topics",
        )
    ]


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"
