"""What left the worker: outcomes, dead letters and skips, and which confirms were begun before which releases."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from worker.events import Event
from worker.ledger.entries import Entry
from worker.mapping import Call, CallItem
from worker.verdict import Death


@dataclass(slots=True)
class Books:
    """`outcomes` by key; `interrupted` are the keys whose worker ended before it had noted that one is written.

    `settled` are event and key of what needs to be asked for no more. `confirms` were begun, by key; `releases` were,
    each with the confirms that were begun before it.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    interrupted: frozenset[str] = frozenset()
    letters: frozenset[tuple[str, Death, tuple[CallItem, ...]]] = frozenset()
    skipped: frozenset[str] = frozenset()
    settled: frozenset[tuple[str, str]] = frozenset()
    confirms: frozenset[str] = frozenset()
    releases: frozenset[tuple[str, frozenset[str]]] = frozenset()

    def publish(self, event: Event, entry: Entry) -> None:
        """A dead letter if there is one, then the outcome."""
        if entry.death is not None:
            self.bury(event, entry.death, ())
        self.outcomes[entry.key] += 1

    def bury(self, event: Event, death: Death, unresolved: tuple[CallItem, ...]) -> None:
        self.letters |= {(event.event_id, death, unresolved)}

    def skip(self, event: Event) -> None:
        self.skipped |= {event.event_id}

    def sent(self, call: Call) -> None:
        """A call may go out from now on."""
        if call.operation == "confirm":
            self.confirms |= {call.key}
        elif call.operation == "release" and all(call.key != key for key, _ in self.releases):
            self.releases |= {(call.key, self.confirms)}

    def take_over(self, entry: Entry) -> None:
        """Who settled a call did not write its outcome. Nobody notes who does so then: it may be more than one."""
        self.interrupted |= {entry.key}

    def settle(self, event: Event, call: Call) -> None:
        """One of the event's calls is settled, and its outcome written and noted, by whomever."""
        self.settled |= {(event.event_id, call.key)}

    def fork(self) -> Books:
        """A copy that goes its own way."""
        return replace(self, outcomes=Counter(self.outcomes))
