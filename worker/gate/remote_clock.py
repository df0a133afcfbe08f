"""Another machine's clock, as far as it can be known from here. Pure: times are given.

An answer that holds its time was made between the question and its arrival: so bounds on how far it is ahead of ours.
Each further answer narrows them; so it is known to half the time of the quickest way there and back.
"""

from __future__ import annotations

GRAIN_US = 1_000.0  # a clock may tick in milliseconds
DRIFT = 1e-3  # two clocks, each of which NTP may adjust by half of this


class RemoteClock:
    """Its times are in microseconds since 1970, ours in monotonic seconds."""

    def __init__(self) -> None:
        self._low = float("-inf")
        self._high = float("inf")
        self._heard_at = 0.0

    @property
    def known(self) -> bool:
        """Whether it was heard at all."""
        return self._high < float("inf")

    def heard(self, asked_at: float, answered_at: float, now_us: int) -> bool:
        """It said `now_us` between these times of ours. False: one of the clocks was set, what was known is void."""
        drifted = (answered_at - self._heard_at) * DRIFT * 1_000_000
        before_low, before_high = self._low - drifted, self._high + drifted
        low, high = now_us - answered_at * 1_000_000 - GRAIN_US, now_us - asked_at * 1_000_000 + GRAIN_US
        agrees = low <= before_high and before_low <= high
        self._low = max(low, before_low) if agrees else low
        self._high = min(high, before_high) if agrees else high
        self._heard_at = answered_at
        return agrees

    def here(self, us: int) -> float:
        """One of its times as ours. It has to be known."""
        return (us - (self._low + self._high) / 2) / 1_000_000
