"""How calls failed, as Rokt and the network saw it: alone, or in an outage. The gate is asked nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from simulation.books import Books, Letter
from simulation.processes import Process
from simulation.rokt import Sent
from worker.sandbox.reservations import reservation_of

RUN = 20
"""So many failures in a row, of calls to one endpoint, are an outage, if they are of several carts."""
RUN_UNPROVEN = 5
"""Where few were taken before, so many may be one."""
CARTS = 3
MANY = 3
QUIET_SECONDS = 5.0
NO_DIFFERENCE = 1e-3
GIVEN_UP = ("exhausted", "unknown-outcome")

Came = Literal["taken", "failed", "throttled", "refused", "denied", "nothing"]


@dataclass(frozen=True, slots=True)
class Outage:
    """A stretch in which one process heard nothing but failures from one endpoint, from when it could have known.

    It ends where the last call of it was sent; `tried` are the calls that were sent meanwhile.
    """

    operation: str
    since: float
    until: float
    tried: tuple[Sent, ...]


class Failing:
    """The attempts of one world that has run, by process and endpoint, in the order in which they ended."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._timeout = books.world.conditions.timeout

    def came(self, sent: Sent) -> Came:
        """What a process heard of an attempt; nothing, when it was cut off itself."""
        match sent.heard:
            case None:
                late = sent.over_at is not None and sent.over_at - sent.sent_at >= self._timeout - NO_DIFFERENCE
                return "failed" if sent.broke or late else "nothing"
            case 401 | 403:
                return "denied"
            case 408 | 425 | 429:
                return "throttled"
            case 409:
                return "taken"
            case status if status >= 500:
                return "failed"
            case status:
                return "taken" if status < 300 else "refused"

    def cart(self, sent: Sent) -> str:
        """Whose it is: a cancel names a reservation only."""
        named = sent.body.get("cartId")
        return str(named or self._carts[sent.body.get("itemReservationId", "")])

    @cached_property
    def _carts(self) -> dict[str, str]:
        """By reservation, also those that Rokt makes up for items that have none."""
        paid = [p for p in self._books.published.values() if p.cart and p.order]
        of_order = {p.order: p.cart for p in paid}
        made_up = {reservation_of(p.cart, item): p.cart for p in paid for _, _, item in p.effects}
        return made_up | {named: of_order.get(order, order) for named, order in self._books.order_of.items()}

    @cached_property
    def roads(self) -> dict[tuple[Process, str], list[Sent]]:
        """By process and endpoint; those that never ended come last."""
        found: dict[tuple[Process, str], list[Sent]] = defaultdict(list)
        for sent in sorted(self._books.world.rokt.tried, key=end_of):
            found[sent.by, sent.operation].append(sent)
        return found

    @cached_property
    def by_key(self) -> dict[str, list[Sent]]:
        """By idempotency key, in the order in which they were sent."""
        found: dict[str, list[Sent]] = defaultdict(list)
        for sent in self._books.world.rokt.tried:
            found[sent.key].append(sent)
        return found

    def outages(self) -> Iterator[tuple[Process, list[Outage]]]:
        """Of each process."""
        found: dict[Process, list[Outage]] = defaultdict(list)
        for (process, operation), sents in self.roads.items():
            for run in self._runs(sents):
                if (since := self._known_at(run)) is not None:
                    tried = tuple(sent for sent in run if sent.sent_at > since)
                    found[process].append(Outage(operation, since, max([since, *(s.sent_at for s in tried)]), tried))
        yield from found.items()

    def witnessed(self, letter: Letter) -> int:
        """How often the call of a dead letter failed, before it was given up, while calls of other carts were taken.

        Its first failure counts; each later one counts if since the last that did another cart's call to the same
        endpoint set out from the same process, and was taken.
        """
        own = self._before(letter)
        process = own[-1].by
        count, since = 0, -1.0
        for sent in own:
            if sent.by is not process:
                continue
            if self.came(sent) not in ("failed", "throttled"):
                count, since = 0, -1.0
            elif since < 0.0 or self._taken_between(sent, since):
                count, since = count + 1, end_of(sent)
        return count

    def alone_in_the_end(self, letter: Letter) -> bool:
        """Whether calls of many other carts were taken since one of its attempts, none failed, and it failed for long.

        Who failed in an outage, with all others, tells nothing once that is over. Any of its attempts may be where it
        was begun anew: a call that waits may be given back and taken up again.
        """
        attempts = self._before(letter)
        own = [one for one in attempts if one.by is attempts[-1].by and self.came(one) in ("failed", "throttled")]
        road, cart, end = self.roads[own[-1].by, own[-1].operation], self.cart(own[0]), end_of(own[-1])
        outage = {id(sent) for run in self._runs(road, "throttled") if self._is_an_outage(run) for sent in run}
        others = [s for s in road if self.cart(s) != cart and end_of(s) <= end and id(s) not in outage]
        enough = self._books.world.conditions.max_attempts
        return any(
            end - end_of(first) >= QUIET_SECONDS - NO_DIFFERENCE and self._many_were_taken(first, others)
            for first in own[: len(own) - enough + 1]
        )

    def _before(self, letter: Letter) -> list[Sent]:
        """The attempts at its call, until it was given up; a redrive may have made others since."""
        return [sent for sent in self.by_key[letter.key] if sent.sent_at < letter.failed_at + NO_DIFFERENCE]

    def _many_were_taken(self, first: Sent, others: list[Sent]) -> bool:
        later = [(self.cart(sent), self.came(sent)) for sent in others if end_of(sent) >= first.sent_at]
        taken = {cart for cart, came in later if came == "taken"}
        return len(taken) >= MANY and not any(came == "failed" for _, came in later)

    def _taken_between(self, sent: Sent, since: float) -> bool:
        cart = self.cart(sent)
        return any(
            other.sent_at >= since and end_of(other) <= end_of(sent) and self.came(other) == "taken"
            for other in self.roads[sent.by, sent.operation]
            if self.cart(other) != cart
        )

    def _runs(self, sents: list[Sent], *besides: Came) -> Iterator[list[Sent]]:
        run: list[Sent] = []
        for sent in sents:
            match self.came(sent):
                case "failed":
                    run.append(sent)
                case came if came in ("nothing", *besides):
                    continue
                case _:
                    yield run
                    run = []
        yield run

    def _is_an_outage(self, run: list[Sent]) -> bool:
        return len(run) >= RUN_UNPROVEN and len({self.cart(sent) for sent in run}) >= CARTS

    def _known_at(self, run: list[Sent]) -> float | None:
        """When so many of so many carts had failed; None: it did not come to that."""
        carts: set[str] = set()
        for count, sent in enumerate(run, 1):
            carts.add(self.cart(sent))
            if count >= RUN and len(carts) >= CARTS:
                return sent.over_at
        return None


def end_of(sent: Sent) -> float:
    return sent.over_at if sent.over_at is not None else float("inf")
