"""Checks are made side by side, each bounded; none hides another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from worker.doctor.examination import Check, examine
from worker.doctor.finding import Finding, green
from worker.errors import SettingsError


async def sound() -> list[Finding]:
    return [green("sound", "fine")]


async def silent() -> list[Finding]:
    await asyncio.Event().wait()
    return []


async def defective() -> list[Finding]:
    raise RuntimeError("canary-secret")


async def misset() -> list[Finding]:
    raise SettingsError(["WORKER_A: wrong"])


def examined(*checks: Check, seconds: float = 30.0) -> tuple[list[Finding], list[list[str]]]:
    told: list[list[str]] = []

    async def main() -> list[Finding]:
        return await examine(checks, seconds=seconds, going_on=lambda left: told.append(list(left)))

    return asyncio.run(main()), told


def test_what_fails_is_a_line_of_its_own_in_the_order_of_the_checks() -> None:
    findings, _ = examined(
        Check("defect", defective, ""),
        Check("silent", silent, "WORKER_B"),
        Check("misset", misset, ""),
        Check("sound", sound, ""),
        seconds=0.05,
    )
    assert [(f.check, f.state) for f in findings] == [
        ("defect", "red"),
        ("silent", "red"),
        ("misset", "red"),
        ("sound", "green"),
    ]
    assert "no answer in 0.05 s" in findings[1].what
    assert "WORKER_B" in findings[1].mend
    assert findings[2].what == "WORKER_A: wrong"
    assert all(finding.mend for finding in findings[:3])


def test_a_defect_is_told_without_what_it_was_raised_over() -> None:
    (finding,), _ = examined(Check("defect", defective, ""))
    assert "RuntimeError" in finding.what
    assert "canary" not in f"{finding}"


def test_checks_are_made_at_the_same_time() -> None:
    met: list[str] = []
    both = asyncio.Event()

    def meeting(name: str) -> Check:
        async def ask() -> Sequence[Finding]:
            met.append(name)
            if len(met) == 2:
                both.set()
            await both.wait()
            return [green(name, "met")]

        return Check(name, ask, "")

    findings, told = examined(meeting("a"), meeting("b"))
    assert [finding.check for finding in findings] == ["a", "b"]
    assert (told[0], told[-1]) == (["a", "b"], [])
