"""The registry's schemas against those that the worker reads onto and writes with."""

from __future__ import annotations

from collections.abc import Mapping

from worker.decode.registry import Standing
from worker.decode.schemas import Resolved, Unusable
from worker.doctor.finding import Finding, green, red
from worker.doctor.judging.schemas import unreadable

CHECK = "registry"
READ, WRITTEN = "source schemas", "outcomes schema"
URL = "WORKER_REGISTRY__URL"


def judge_unavailable(what: str, status: int | None) -> Finding:
    """No answer (`status` is None), or one that says that we may not ask."""
    if status in (401, 403):
        return red(CHECK, what, "give the right user and password, or token, in WORKER_REGISTRY__*")
    if status in (404, 405) or (status or 0) < 0:
        return red(CHECK, f"{what}: that is no schema registry", f"give its whole address, with the path, in {URL}")
    if status is not None:
        return red(CHECK, what, "look at the registry's log")
    return red(CHECK, what, f"look at {URL} and WORKER_REGISTRY__CA_LOCATION, and whether it is up")


def judge_read(latest: Mapping[str, Resolved | Unusable | None]) -> list[Finding]:
    """The latest schema of each source topic's subject: can events of it be read?"""
    wrong = [
        red(
            READ,
            f"{subject}: {why}",
            "have the producer write a schema that schemas/*.avsc can read; it is not an event now",
        )
        for subject, schema in latest.items()
        if (why := _why_not(schema))
    ]
    known = [subject for subject, schema in latest.items() if schema is not None]
    if wrong or not latest:
        return wrong
    if not known:
        return [green(READ, f"no schema yet under {', '.join(latest)}")]
    return [green(READ, f"{', '.join(known)}: the latest schema can be read")]


def judge_written(standing: Standing, subject: str, *, auto_register: bool) -> Finding:
    """The schema of the outcomes."""
    if standing == "registered":
        return green(WRITTEN, f"registered under {subject}")
    if standing == "incompatible":
        return red(
            WRITTEN,
            f"the registry does not take it under {subject}: it is not compatible with what stands there",
            "name another topic in WORKER_TOPICS__OUTCOMES, or set the subject's compatibility to NONE for once",
        )
    if auto_register:
        return green(WRITTEN, f"the first outcome registers it under {subject}")
    return red(
        WRITTEN,
        f"not registered under {subject}, and WORKER_REGISTRY__AUTO_REGISTER is off: no outcome can be written",
        "register schemas/rokt-outcomes.avsc there",
    )


def judge_none() -> Finding:
    """No registry is set."""
    return green(CHECK, f"none is set ({URL}): events and outcomes are JSON")


def _why_not(schema: Resolved | Unusable | None) -> str | None:
    if schema is None:
        return None
    if isinstance(schema, Unusable):
        return schema.why
    branches = (branch for branch in schema.branches if branch is not None)
    return next((why for branch in branches if (why := unreadable(branch.writer, branch.reader))), None)
