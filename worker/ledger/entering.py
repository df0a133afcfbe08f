"""Transactions that are entered once, however often and by however many they are sent: claims on them, values. Pure.

A transaction is known by its digest. Whoever is to produce it claims it first, for so many seconds, and says when it is
entered; a claim that is over may be taken over, so that none is lost with the one who had it. Times are the database's,
in milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

Asked = Sequence[tuple[bytes, str]]
"""Digests, each with its asker: a name that no other request has."""
Until = Mapping[bytes, int | None]
"""Until when each transaction is claimed; None: it is entered."""


@dataclass(frozen=True, slots=True)
class Mine:
    """It is the asker's to produce, until its claim is over."""


@dataclass(frozen=True, slots=True)
class Known:
    """It was entered before: this is a duplicate."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Another has claimed it, for so many seconds more; or the asker has, by a question before this one."""

    seconds: float


Claimed = Mine | Known | Busy


def first_asked(asked: Asked) -> dict[bytes, str]:
    """Who asked first for each transaction; in the order of the digests, so that no two groups wait for each other."""
    firsts = dict(reversed(asked))
    return {id_: firsts[id_] for id_ in sorted(firsts)}


def free(ids: Iterable[bytes], until: Until, now_ms: int) -> list[bytes]:
    """Those that can be claimed: nobody has, or the claim is over."""
    return [id_ for id_ in ids if id_ not in until or _over(until[id_], now_ms)]


def answers(asked: Asked, mine: Collection[bytes], until: Until, now_ms: int, seconds: float) -> list[Claimed]:
    """The answers to a group, of which `mine` are claimed now, for so many seconds; `until` is from before.

    What is neither was claimed by another in the same moment.
    """
    left = set(mine)
    told: list[Claimed] = []
    for id_, _ in asked:
        if id_ in left:
            left.remove(id_)
            told.append(Mine())
        elif id_ in mine or id_ not in until:
            told.append(Busy(seconds))
        else:
            told.append(_not_mine(until[id_], now_ms))
    return told


def milliseconds(seconds: float) -> int:
    """For how long a claim of so many seconds stands."""
    return round(seconds * 1000)


def _not_mine(until_ms: int | None, now_ms: int) -> Claimed:
    return Known() if until_ms is None else Busy(max(0, until_ms - now_ms) / 1000)


def _over(until_ms: int | None, now_ms: int) -> bool:
    return until_ms is not None and until_ms <= now_ms
