"""What one check found. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

State = Literal["green", "yellow", "red"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of the doctor's: green is sound, yellow is worth a look, red does not work. Green needs no mend."""

    check: str
    state: State
    what: str
    mend: str = ""


def green(check: str, what: str) -> Finding:
    """It is sound."""
    return Finding(check, "green", what)


def yellow(check: str, what: str, mend: str) -> Finding:
    """It works, or may, and is worth a look."""
    return Finding(check, "yellow", what, mend)


def red(check: str, what: str, mend: str) -> Finding:
    """It does not work, or loses what must not be lost."""
    return Finding(check, "red", what, mend)


def any_red(findings: Iterable[Finding]) -> bool:
    """Whether the installation is not sound."""
    return any(finding.state == "red" for finding in findings)
