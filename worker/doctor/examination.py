"""Every check side by side, each bounded in time; what fails in one is its own line and hides no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from worker.doctor.finding import Finding, red
from worker.errors import SettingsError

Asked = Callable[[], Awaitable[Sequence[Finding]]]


@dataclass(frozen=True, slots=True)
class Check:
    """A name, and how it comes to its findings; `where` is who is asked, for one that does not answer."""

    name: str
    ask: Asked
    where: str


async def examine(
    checks: Sequence[Check], *, seconds: float, going_on: Callable[[Sequence[str]], None] = lambda _: None
) -> list[Finding]:
    """The findings, in the order of the checks. `going_on` is told the names of those that are not done yet."""
    left = [check.name for check in checks]

    async def one(check: Check) -> list[Finding]:
        try:
            return await _findings(check, seconds)
        finally:
            left.remove(check.name)
            going_on(left)

    going_on(left)
    found = await asyncio.gather(*(one(check) for check in checks))
    return [finding for findings in found for finding in findings]


async def _findings(check: Check, seconds: float) -> list[Finding]:
    try:
        async with asyncio.timeout(seconds):
            return list(await check.ask())
    except TimeoutError:
        return [red(check.name, f"no answer in {seconds:g} s", f"look at {check.where}, and at what is between")]
    except SettingsError as error:
        return [red(check.name, problem, "give what is allowed there") for problem in error.problems]
    except Exception as error:  # its own line: the others go on
        name = type(error).__name__
        return [red(check.name, f"could not be asked ({name})", "this is a defect of the worker: please report it")]
