"""Completed out of order, committed in order: how far one partition is settled. Pure."""

from __future__ import annotations

from collections import deque


class Frontier:
    """The records of one assigned partition that are read and not yet passed by what may be committed.

    Offsets are read in rising order, with holes where the log has some. `committable` is the offset to commit: every
    record read below it is settled; None before the first. `passed` counts the records below it.
    """

    def __init__(self) -> None:
        self.committable: int | None = None
        self.passed = 0
        self._open: deque[int] = deque()
        self._settled: set[int] = set()
        self._last = -1
        self._first: int | None = None

    @property
    def oldest(self) -> int | None:
        """The offset that all others wait for."""
        return self._open[0] if self._open else None

    @property
    def settled_to(self) -> int | None:
        """Where what is settled without a hole ends; None before anything was read."""
        return self.committable if self.committable is not None else self._first

    def read(self, offset: int) -> None:
        """Takes note of a record. Raises ValueError for one that does not come behind all others."""
        if offset <= self._last:
            raise ValueError(f"offset {offset} was read after {self._last}")
        if self._first is None:
            self._first = offset
        self._last = offset
        self._open.append(offset)

    def to_commit(self) -> tuple[int, frozenset[int]] | None:
        """The offset to commit and what is settled above it; None before anything was read. From any thread."""
        above = frozenset(self._settled)  # first, so that what passes meanwhile stands in both and not in neither
        base = self.settled_to
        return None if base is None else (base, above)

    def settle(self, offset: int) -> None:
        """Takes note that a record is settled. Each one is settled once."""
        self._settled.add(offset)
        while self._open and self._open[0] in self._settled:
            passed = self._open.popleft()
            self._settled.remove(passed)
            self.passed += 1
            self.committable = passed + 1
