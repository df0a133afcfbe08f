"""What an answer means for a call with its history: settled, or to be tried again. Pure; the contract's table."""

from __future__ import annotations

from dataclasses import dataclass

from worker.mapping import Call, CallItem
from worker.rokt.answers import Accepted, Answer, Conflict, Denied, Failed, ItemAnswer, Refused, Throttled
from worker.telemetry.names import Reason, Status

NAMED_IN_MESSAGE = 20


@dataclass(frozen=True, slots=True)
class History:
    """A call's attempts so far. `maybe_applied`: one of them may have reached Rokt, and its outcome is unknown."""

    attempts: int = 0
    maybe_applied: bool = False

    def after(self, answer: Answer) -> History:
        """The history with one more attempt."""
        unknown = isinstance(answer, Failed) and answer.maybe_applied
        return History(self.attempts + 1, self.maybe_applied or unknown)


@dataclass(frozen=True, slots=True)
class Death:
    """Why something goes to the dead-letter topic. Texts name fields, ids and statuses, never personal data."""

    reason: Reason
    message: str
    exception: str = ""
    http_status: int | None = None
    http_body: str = ""
    attempts: int = 0
    operation: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a call. `death` is there when all or some of it goes to the dead-letter topic."""

    status: Status
    items: tuple[ItemAnswer, ...]
    http_status: int | None
    attempts: int
    death: Death | None = None
    unread: str | None = None


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Nothing is decided. `retry_after` (seconds) is what Rokt asked of every caller."""

    why: str
    retry_after: float | None = None


def judge(call: Call, answer: Answer, history: History, *, refused_alone: bool) -> Settled | TryAgain:
    """The verdict on a call after an answer; `history` is that of the attempts before it.

    `refused_alone`: others succeed with the credentials that were refused here.
    """
    attempts = history.attempts + 1
    match answer:
        case Accepted():
            return _accepted(call, answer, attempts)
        case Conflict() if history.maybe_applied:
            return Settled("duplicate", tuple(map(_done, call.items)), answer.status, attempts)
        case Refused() | Conflict():
            return _rejected(call, answer, attempts, f"Rokt answered {answer.status}")
        case Denied() if refused_alone:
            message = f"Rokt answered {answer.status} to this call, and takes others with the same credentials"
            return _rejected(call, answer, attempts, message)
        case Denied():
            return TryAgain(f"Rokt answered {answer.status}")
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


def _rejected(call: Call, answer: Refused | Conflict | Denied, attempts: int, message: str) -> Settled:
    death = Death(
        "rejected",
        message,
        http_status=answer.status,
        http_body=answer.body,
        attempts=attempts,
        operation=call.operation,
        key=call.key,
    )
    return Settled("rejected", tuple(map(not_done, call.items)), answer.status, attempts, death)


def not_done(item: CallItem) -> ItemAnswer:
    """The answer to an item of a call that was not made, or refused."""
    return ItemAnswer(item.cart_item_id, item.item_reservation_id, None, None, success=False)


def _done(item: CallItem) -> ItemAnswer:
    return ItemAnswer(item.cart_item_id, item.item_reservation_id, None, None, success=True)
