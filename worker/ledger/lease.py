"""For how long what a worker has begun is surely its own. Pure: times are monotonic seconds, and given."""

from __future__ import annotations


class Lease:
    """A lease of so many seconds, renewed again and again; what was begun before it once ran out may be another's.

    `first_surely_held` is the first question (`Ask.token`) that was put after the lease last ran out.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.until = float("-inf")
        self.first_surely_held = 0

    def renewed(self, asked_at: float, answered_at: float, next_token: int) -> None:
        """The database renewed it between these times; `next_token` is that of the next question to be put.

        When the lease may have run out before the database came to it, others may have taken over what was begun.
        """
        if float("-inf") < self.until < answered_at:
            self.first_surely_held = next_token
        self.until = asked_at + self.seconds

    def left(self, now: float, token: int | None = None) -> float:
        """Seconds for which what is begun now, or was begun by this question, is surely held; below 0: it is not."""
        if token is not None and token < self.first_surely_held:
            return float("-inf")
        return self.until - now
