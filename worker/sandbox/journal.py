"""What the sandbox remembers of requests: idempotency keys until they are forgotten, and the last calls."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

CALLS_KEPT = 10_000


class IdempotencyKeys:
    """Keys that were seen, each for `ttl` seconds by `clock` (epoch seconds); after that a key is new again."""

    def __init__(self, ttl: float, clock: Callable[[], float]) -> None:
        self._ttl = ttl
        self._clock = clock
        self._forget_at: dict[str, float] = {}

    def __len__(self) -> int:
        self._prune()
        return len(self._forget_at)

    def __contains__(self, key: str) -> bool:
        self._prune()
        return key in self._forget_at

    def remember(self, key: str) -> None:
        self._forget_at[key] = self._clock() + self._ttl

    def clear(self) -> None:
        self._forget_at.clear()

    def _prune(self) -> None:
        # All keys live equally long, so the oldest come first.
        now = self._clock()
        while self._forget_at and (oldest := next(iter(self._forget_at.items())))[1] <= now:
            del self._forget_at[oldest[0]]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the API; `status` is None when no answer was sent, `applied` means processed to a 2xx."""

    sequence: int
    time: float
    operation: str
    cart_id: str
    reservation_ids: tuple[str, ...]
    key: str | None
    status: int | None
    applied: bool
    fault: str | None
    traceparent: str | None


class Journal:
    """Totals of all calls by operation and status, and the last `CALLS_KEPT` calls one by one."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._calls: deque[Call] = deque(maxlen=CALLS_KEPT)
        self._totals: dict[str, Counter[str]] = {}
        self.requests = 0

    def record(self, call: Call) -> None:
        """Appends a call whose `sequence` is `requests + 1`."""
        self.requests = call.sequence
        self._calls.append(call)
        outcome = str(call.status) if call.status is not None else str(call.fault)
        self._totals.setdefault(call.operation, Counter())[outcome] += 1

    def totals(self) -> dict[str, dict[str, int]]:
        """`{operation: {status: count}}`; a call that got no answer counts under its fault's name."""
        return {operation: dict(counts) for operation, counts in self._totals.items()}

    def after(self, sequence: int, limit: int) -> list[Call]:
        """The calls behind a sequence number, oldest first, at most `limit`."""
        first = self._calls[0].sequence if self._calls else 1
        start = max(0, sequence + 1 - first)
        return [self._calls[i] for i in range(start, min(start + limit, len(self._calls)))]
