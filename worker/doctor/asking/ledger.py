"""The ledger, looked at from outside."""

from __future__ import annotations

from collections.abc import Callable

from worker.doctor.finding import Finding, red
from worker.doctor.judging.ledger import CHECK, judge_ledger
from worker.errors import LedgerUnavailable
from worker.ledger.inspecting import inspect
from worker.settings import Settings


async def ask_ledger(settings: Settings, now: Callable[[], float]) -> list[Finding]:
    """What there is to say of it. Raises SettingsError."""
    url = settings.ledger.url.get_secret_value()
    try:
        return judge_ledger(await inspect(url, seconds=settings.ledger.timeout_seconds, now=now))
    except LedgerUnavailable as error:
        return [red(CHECK, str(error), error.mend)]
