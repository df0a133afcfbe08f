"""Two caps on the same calls: that of the fleet, and one of a few processes' own."""

from __future__ import annotations

from worker.gate.quota import Slots


class Both:
    """A call takes a slot of each: first an own one, which is kept until there is a shared one, of which few are asked.

    So after a wait for a shared one there may be one call more than there are own slots in that second. `few` is how
    many calls can use slots of both that are asked for at once.
    """

    def __init__(self, own: Slots, shared: Slots, *, few: int) -> None:
        self._own = own
        self._shared = shared
        self._few = few
        self._has_own = False

    @property
    def refused_since(self) -> float | None:
        """See `Quota`."""
        return self._shared.refused_since

    def delay(self, now: float, waiting: int) -> float | None:
        """See `Quota.delay`."""
        if not self._has_own:
            if (wait := self._own.delay(now, waiting)) != 0.0:
                return wait
            self._own.take(now)
            self._has_own = True
        return self._shared.delay(now, min(waiting, self._few))

    def take(self, now: float) -> None:
        """See `Quota.take`."""
        self._shared.take(now)
        self._has_own = False

    def hold_back(self, seconds: float) -> None:
        """Nobody in the fleet has a slot for so many seconds."""
        self._shared.hold_back(seconds)

    async def close(self) -> None:
        """See `Quota.close`."""
        await self._own.close()
        await self._shared.close()
