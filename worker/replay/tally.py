"""What became of the records of one partition, each by its offset, until it is kept for good. Pure.

A count that was kept cannot be told apart any more; so an offset stays here by itself until it is known whose count it
went into: another process may have had the partition meanwhile, and have counted it.
"""

from __future__ import annotations

from collections import Counter

from worker.replay.request import Part


class Tally:
    """What a member has to add for one partition, from when that was assigned to it.

    `note` and `forget` are called on the event loop, `lost` on the consumer's thread too.
    """

    def __init__(self) -> None:
        self._parts: dict[int, tuple[Part, int]] = {}
        self._lost: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._parts)

    def note(self, offset: int, part: Part, calls: int = 0) -> None:
        """A record is settled; so many calls were begun for it."""
        self._parts[offset] = part, calls

    def lost(self, first: int, end: int) -> None:
        """The records from `first` up to, and without, `end` were deleted before they could be read."""
        self._lost.append((first, end))

    def counts(self, first: int, end: int) -> tuple[Counter[Part], int]:
        """How many records from `first` up to, and without, `end` came to what; and the calls begun for them."""
        counts: Counter[Part] = Counter()
        calls = 0
        for offset, (part, begun) in self._parts.items():
            if first <= offset < end:
                counts[part] += 1
                calls += begun
        if gone := sum(max(0, min(end, to) - max(first, since)) for since, to in tuple(self._lost)):
            counts["lost"] = gone
        return counts, calls

    def forget(self, below: int) -> None:
        """What is below this offset is counted, here or by somebody else."""
        self._parts = {offset: noted for offset, noted in self._parts.items() if offset >= below}
        for stretch in tuple(self._lost):
            if stretch[1] <= below:
                self._lost.remove(stretch)
