"""Where a replay's plan is kept: in the ledger's database, in a room of the replay's own, as its number 0."""

from __future__ import annotations

from typing import Final

from worker.errors import CannotReplay
from worker.ledger.store import Store
from worker.replay.plan import ANOTHER, Plan, Wanted, differences, from_text, to_text

PLAN: Final = 0


def room(name: str) -> str:
    """Where a replay of this name is kept."""
    return f"replay/{name}"


async def kept(store: Store, name: str, wanted: Wanted) -> Plan | None:
    """The plan of this name, if there is one. Raises CannotReplay when it was made for something else."""
    text = (await store.kept(room(name), PLAN, PLAN + 1)).get(PLAN)
    if text is None:
        return None
    plan = from_text(text)
    if others := differences(wanted, plan.wanted):
        raise CannotReplay(
            f"the replay {name} was planned with another {', '.join(others)}",
            f"say what it was planned with, or {ANOTHER}",
        )
    return plan


async def keep_first(store: Store, plan: Plan) -> Plan:
    """Keeps a plan, unless another process was first; gives what is kept. Raises CannotReplay as `kept` does."""
    if await store.swap(room(plan.name), PLAN, None, to_text(plan)):
        return plan
    return await kept(store, plan.name, plan.wanted) or plan
