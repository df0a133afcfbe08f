"""One call's standing at the gate, over all of its attempts. Pure."""

from __future__ import annotations

from msgspec import Struct

from worker.keys import Operation
from worker.rokt.answers import Answer
from worker.telemetry.names import Cause
from worker.verdict import NOTHING_SPECIAL, Standing

URGENCY: tuple[Operation, ...] = ("confirm", "cancel", "release")
"""Who goes first when calls are scarce: a sale that may be lost, money to be given back, a courtesy."""


class Turn(Struct, eq=False):
    """A call at the gate. `cart` tells whose it is: failures of one cart say nothing of the others.

    Numbers count the attempts that were admitted, of all calls: what sets out later has a higher number. `first` is
    that of its first attempt, `refused_at` how many had been when a refusal of its credentials was heard. `failures`
    are those in a row while others succeeded, or nothing was known of any, since `failing_since` (monotonic seconds);
    `strikes` those of them between which another call set out and was taken, the last of them when `struck_at` attempts
    had been admitted. `tried` is the opening of a circuit in which it was the canary. `late_at` is how late the event
    loop had been in all by `sent_at`, `own_seconds` how much it was from then to the answer. `held_by` is why it could
    not go at once, None where it could. `news`: its answer is not one of many refusals for the same excess of calls;
    `throttled_at` is when its last 429 came.
    """

    operation: Operation
    cart: str
    number: int = 0
    first: int = 0
    came_at: float = 0.0
    held_by: Cause | None = None
    sent_at: float = 0.0
    late_at: float = 0.0
    own_seconds: float = 0.0
    reached: bool = False
    answer: Answer | None = None
    standing: Standing = NOTHING_SPECIAL
    news: bool = True
    throttled_at: float | None = None
    refused_at: int | None = None
    failures: int = 0
    failing_since: float = 0.0
    strikes: int = 0
    struck_at: int | None = None
    tried: tuple[str, int] | None = None
