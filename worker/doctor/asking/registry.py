"""The schema registry: reachable, and its schemas such that events can be read and outcomes be written."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from worker import parts
from worker.decode.registry import Registry
from worker.decode.schemas import OUTCOME, load
from worker.doctor.asking.words import in_words, shown
from worker.doctor.finding import Finding, green
from worker.doctor.judging import registry as judging
from worker.errors import RegistryUnavailable
from worker.settings import Settings


async def ask_registry(settings: Settings, sources: Sequence[str]) -> list[Finding]:
    """What there is to say of it. Raises SettingsError."""
    registry = parts.registry(settings.registry)
    if registry is None:
        return [judging.judge_none()]
    where = ", ".join(map(shown, (settings.registry.url or "").split(",")))
    try:
        return await _asked(registry, settings, sources, where)
    except RegistryUnavailable as error:
        why = in_words(error) if error.status is None else f"answered {error.status}"
        return [judging.judge_unavailable(f"{where}: {why}", error.status)]
    finally:
        await registry.close()


async def _asked(registry: Registry, settings: Settings, sources: Sequence[str], where: str) -> list[Finding]:
    subjects = [f"{topic}-value" for topic in sources]
    outcomes = f"{settings.topics.outcomes}-value"
    latest = await asyncio.gather(*(registry.latest(subject) for subject in subjects))
    standing = await registry.standing(outcomes, load(OUTCOME))
    return [
        green(judging.CHECK, f"{where} answers"),
        *judging.judge_read(dict(zip(subjects, latest, strict=True))),
        judging.judge_written(standing, outcomes, auto_register=settings.registry.auto_register),
    ]
