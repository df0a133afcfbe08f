"""What an answer means for a call with its history: settled, or to be tried again. Pure; the contract's table."""

from __future__ import annotations

from msgspec import Struct

from worker.mapping import Call, CallItem
from worker.rokt.answers import Accepted, Answer, Conflict, Denied, Failed, ItemAnswer, Refused, Throttled
from worker.telemetry.names import Reason, Status

NAMED_IN_MESSAGE = 20
JUDGED = (400, 422)
"""Answers to what a call asks for: Rokt remembers the key of such a call. A wrong address does not give them."""


class History(Struct, frozen=True):
    """A call's attempts so far. `maybe_applied`: one of them may have reached Rokt, and its outcome is unknown.

    `judged` is what Rokt said against the call while all others were rejected too; it remembers the key of such a call.
    """

    attempts: int = 0
    maybe_applied: bool = False
    judged: Refused | None = None

    def after(self, answer: Answer) -> History:
        """The history with one more attempt."""
        unknown = isinstance(answer, Failed) and answer.maybe_applied
        judged = answer if isinstance(answer, Refused) and answer.status in JUDGED else self.judged
        return History(self.attempts + 1, self.maybe_applied or unknown, judged)


class Standing(Struct, frozen=True):
    """What the other calls say of a call that was not taken.

    `refused_alone`: others succeed with the credentials that were refused here. `poison`: it has failed often enough
    while others succeed. `all_rejected`: so many calls were rejected in a row that the calls are not to blame.
    """

    refused_alone: bool = False
    poison: bool = False
    all_rejected: bool = False


NOTHING_SPECIAL = Standing()


class Death(Struct, frozen=True):
    """Why something goes to the dead-letter topic. Texts name fields, ids and statuses, never personal data."""

    reason: Reason
    message: str
    exception: str = ""
    http_status: int | None = None
    http_body: str = ""
    attempts: int = 0
    operation: str = ""
    key: str = ""


class Settled(Struct, frozen=True):
    """What became of a call. `death` is there when all or some of it goes to the dead-letter topic."""

    status: Status
    items: tuple[ItemAnswer, ...]
    http_status: int | None
    attempts: int
    death: Death | None = None
    unread: str | None = None


class TryAgain(Struct, frozen=True):
    """Nothing is decided. `retry_after` (seconds) is what Rokt asked of every caller."""

    why: str
    retry_after: float | None = None


def judge(call: Call, answer: Answer, history: History, standing: Standing = NOTHING_SPECIAL) -> Settled | TryAgain:
    """The verdict on a call after an answer; `history` is that of the attempts before it."""
    attempts = history.attempts + 1
    match answer:
        case Accepted():
            return _accepted(call, answer, attempts)
        case Conflict() if history.maybe_applied and history.judged is None:
            return Settled("duplicate", tuple(map(_done, call.items)), answer.status, attempts)
        case Refused() | Conflict() if standing.all_rejected:
            return TryAgain(f"Rokt answered {answer.status}, to this call as to all others")
        case Refused() | Conflict():
            said = history.judged if isinstance(answer, Conflict) and history.judged is not None else answer
            return _rejected(call, said, history, f"Rokt answered {said.status}")
        case Denied() if standing.refused_alone:
            message = f"Rokt answered {answer.status} to this call, and takes others with the same credentials"
            return _rejected(call, answer, history, message)
        case Denied():
            return TryAgain(f"Rokt answered {answer.status}")
        case Throttled() | Failed() if standing.poison:
            return _given_up(call, answer, history.after(answer))
        case Throttled():
            return TryAgain(f"Rokt answered {answer.status}", answer.retry_after)
        case Failed():
            return TryAgain(answer.detail, answer.retry_after)


def _accepted(call: Call, answer: Accepted, attempts: int) -> Settled:
    failed = [item for item in answer.items if not item.success]
    if not failed:
        return Settled("succeeded", answer.items, answer.status, attempts, unread=answer.unread)
    ids = [item.item_reservation_id or item.cart_item_id or "?" for item in failed]
    more = f" and {len(ids) - NAMED_IN_MESSAGE} more" if len(ids) > NAMED_IN_MESSAGE else ""
    death = Death(
        "item-rejected",
        f"Rokt answered success: false for {len(ids)} of {len(answer.items)} items: "
        + ", ".join(ids[:NAMED_IN_MESSAGE])
        + more,
        http_status=answer.status,
        attempts=attempts,
        operation=call.operation,
        key=call.key,
    )
    status: Status = "partial" if len(failed) < len(answer.items) else "rejected"
    return Settled(status, answer.items, answer.status, attempts, death)


def _rejected(call: Call, answer: Refused | Conflict | Denied, history: History, message: str) -> Settled:
    """What does not come of judging the call says nothing of an attempt before it that may have been applied."""
    unknown = history.maybe_applied and isinstance(answer, Refused | Denied) and answer.status not in JUDGED
    attempts = history.attempts + 1
    death = Death(
        "unknown-outcome" if unknown else "rejected",
        f"{message}; an attempt before may have been done" if unknown else message,
        http_status=answer.status,
        http_body=answer.body,
        attempts=attempts,
        operation=call.operation,
        key=call.key,
    )
    status: Status = "dead" if unknown else "rejected"
    return Settled(status, tuple(map(not_done, call.items)), answer.status, attempts, death)


def _given_up(call: Call, answer: Throttled | Failed, history: History) -> Settled:
    """Poison: it keeps failing while others succeed. Whether an attempt may have been applied makes the reason."""
    said = answer.detail if isinstance(answer, Failed) else f"Rokt answered {answer.status}"
    death = Death(
        "unknown-outcome" if history.maybe_applied else "exhausted",
        f"{said}, after {history.attempts} attempts; calls of other carts succeeded meanwhile",
        http_status=answer.status,
        http_body=answer.body,
        attempts=history.attempts,
        operation=call.operation,
        key=call.key,
    )
    return Settled("dead", tuple(map(not_done, call.items)), answer.status, history.attempts, death)


def not_done(item: CallItem) -> ItemAnswer:
    """The answer to an item of a call that was not made, or refused."""
    return ItemAnswer(item.cart_item_id, item.item_reservation_id, None, None, success=False)


def _done(item: CallItem) -> ItemAnswer:
    return ItemAnswer(item.cart_item_id, item.item_reservation_id, None, None, success=True)
