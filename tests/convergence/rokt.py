"""Rokt as the worker meets it: the sandbox's state, keys that it may forget, and answers that may get lost."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from random import Random

import msgspec

from worker.keys import Operation
from worker.mapping import Call
from worker.rokt.answers import Answer, Failed, read_answer
from worker.sandbox.messages import Cancel, Confirm, Done, Message, Refused, Release
from worker.sandbox.reservations import Reservation, State
from worker.sandbox.state import Rokt as Sandbox
from worker.sandbox.state import Rules

MESSAGES: dict[Operation, type[Message]] = {"confirm": Confirm, "cancel": Cancel, "release": Release}
REPEATED_CANCELS = "repeated_cancels"


class Fault(Enum):
    """What befalls one attempt: how it is answered, and whether Rokt has processed it."""

    NONE = ("answered", True)
    LOST = ("no answer", False)
    LOST_AFTER = ("no answer", True)
    ERROR = ("503", False)
    ERROR_AFTER = ("503", True)
    BUSY = ("429", False)
    UNREACHABLE = ("not connected", False)


class _NoChance(Random):
    def getrandbits(self, k: int, /) -> int:
        return 7


_NONE = _NoChance()


class Rokt:
    """`odd` counts, by key, what a caller that does nothing twice leaves at zero; `forgotten` keys were known once.

    While it is `rejecting`, it judges every confirm wrongly.
    """

    def __init__(self) -> None:
        self._sandbox = Sandbox(Rules(), lambda: 0.0, _NONE)
        self.keys: frozenset[str] = frozenset()
        self.forgotten: frozenset[str] = frozenset()
        self.odd: Counter[tuple[str, str]] = Counter()
        self.rejecting = False

    def attempt(self, call: Call, fault: Fault) -> Answer:
        """One attempt at a call, as its sender sees it."""
        answered, processed = fault.value
        status, body = self._process(call) if processed else (0, b"")
        match answered:
            case "answered":
                return read_answer(status, body, call.items, None)
            case "503" | "429":
                return read_answer(int(answered), b"", call.items, None)
            case "no answer":
                return Failed("no-answer", "ReadTimeout", maybe_applied=True)
            case _:
                return Failed("not-connected", "ConnectError", maybe_applied=False)

    def forget(self) -> None:
        """Three hours pass."""
        self.forgotten |= self.keys
        self.keys = frozenset()

    def reservations(self) -> dict[str, Reservation]:
        return self._sandbox.reservations()

    def fork(self) -> Rokt:
        """A copy that goes its own way."""
        copy = Rokt()
        copy._sandbox._reservations = dict(self._sandbox._reservations)
        copy._sandbox._orders = dict(self._sandbox._orders)
        copy._sandbox._oddities = Counter(self._sandbox._oddities)
        copy.keys, copy.forgotten, copy.odd = self.keys, self.forgotten, Counter(self.odd)
        copy.rejecting = self.rejecting
        return copy

    def _process(self, call: Call) -> tuple[int, bytes]:
        if call.key in self.keys:
            return 409, b"{}"
        if self.rejecting and call.operation == "confirm":
            self.keys |= {call.key}
            return 422, b"{}"
        message = msgspec.json.decode(call.body, type=MESSAGES[call.operation])
        if isinstance(message, Cancel):
            found = self._sandbox._reservations.get(message.item_reservation_id)
            self.odd[REPEATED_CANCELS, call.key] += found is not None and found.state is State.CANCELLED
        before = Counter(self._sandbox._oddities)
        result = self._sandbox.handle(message)
        for name, count in (self._sandbox._oddities - before).items():
            self.odd[name, call.key] += count
        self.keys |= {call.key}
        match result:
            case Refused(status):
                return status, b"{}"
            case Done(body):
                return 200, b"" if body is None else msgspec.json.encode(body)
