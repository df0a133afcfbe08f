"""Faults to order: what may go wrong with a call, how often, and the draw that decides it for one call."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct, field

from worker.sandbox.messages import Operation

Probability = Annotated[float, Meta(ge=0, le=1)]
LONGEST = 365 * 86_400.0
Seconds = Annotated[float, Meta(ge=0, le=LONGEST)]
ErrorStatus = Annotated[int, Meta(ge=400, le=599)]

RETRY_AFTER_ON = (429, 503)
WINDOW_SECONDS = 1.0


class Latency(Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds before a call is processed.

    fixed: `seconds`; uniform: `seconds` plus or minus `spread`; exponential: `seconds` is the mean;
    lognormal: `seconds` is the median, `spread` the sigma of the logarithm.
    """

    kind: Literal["fixed", "uniform", "exponential", "lognormal"] = "fixed"
    seconds: Seconds = 0.0
    spread: Seconds = 0.0

    def __post_init__(self) -> None:
        if self.kind == "lognormal" and self.spread > 10:
            raise ValueError("The spread of a lognormal latency is a sigma, at most 10")

    def draw(self, random: Random) -> float:
        return min(self._draw(random), LONGEST)

    def _draw(self, random: Random) -> float:
        match self.kind:
            case "fixed":
                return self.seconds
            case "uniform":
                return max(0.0, random.uniform(self.seconds - self.spread, self.seconds + self.spread))
            case "exponential":
                return random.expovariate(1 / self.seconds) if self.seconds else 0.0
            case "lognormal":
                return random.lognormvariate(math.log(self.seconds), self.spread) if self.seconds else 0.0


class Outage(Struct, frozen=True, forbid_unknown_fields=True):
    """A stretch of 503s: begins `after` seconds from when it was ordered, lasts `seconds` (null: until told)."""

    after: Seconds = 0.0
    seconds: Seconds | None = None

    def is_on(self, elapsed: float) -> bool:
        return self.after <= elapsed and (self.seconds is None or elapsed < self.after + self.seconds)


class Faults(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is ordered. A call meets at most one fault, so the probabilities add up to 1 at most.

    `errors` answer without processing the call, `errors_after` process it first. `hang_seconds` is how long a
    time-out holds the connection. `retry_after` (whole seconds) goes on every 429 and 503. `calls_per_second` is how
    many calls are taken in any second; those beyond get 429 and a Retry-After, 1 unless ordered otherwise. `only`
    (operations, empty: all) and `only_carts` (part of a cart id) narrow everything but the outage, the latency and
    the calls taken.
    """

    latency: Latency = Latency()
    errors: dict[ErrorStatus, Probability] = field(default_factory=dict)
    errors_after: dict[ErrorStatus, Probability] = field(default_factory=dict)
    retry_after: Annotated[int, Meta(ge=0)] | None = None
    reset_before: Probability = 0.0
    reset_after: Probability = 0.0
    timeout_before: Probability = 0.0
    timeout_after: Probability = 0.0
    hang_seconds: Seconds = 30.0
    outage: tuple[Outage, ...] = ()
    calls_per_second: Annotated[int, Meta(ge=1)] | None = None
    only: tuple[Operation, ...] = ()
    only_carts: str = ""

    def __post_init__(self) -> None:
        if math.fsum(weight for weight, _ in _chances(self)) > 1 + 1e-9:
            raise ValueError("The probabilities of all faults add up to more than 1")


@dataclass(frozen=True, slots=True)
class Pass:
    name: ClassVar[None] = None


@dataclass(frozen=True, slots=True)
class Status:
    """Answers `status`; with `applied` only after the call was processed."""

    name: ClassVar[str] = "status"
    status: int
    retry_after: int | None = None
    applied: bool = False


@dataclass(frozen=True, slots=True)
class ResetBefore:
    name: ClassVar[str] = "reset_before"


@dataclass(frozen=True, slots=True)
class ResetAfter:
    name: ClassVar[str] = "reset_after"


@dataclass(frozen=True, slots=True)
class HangBefore:
    name: ClassVar[str] = "timeout_before"


@dataclass(frozen=True, slots=True)
class HangAfter:
    name: ClassVar[str] = "timeout_after"


Fault = Pass | Status | ResetBefore | ResetAfter | HangBefore | HangAfter


def decide(faults: Faults, operation: Operation, cart_id: str, random: Random, elapsed: float) -> Fault:
    """The fault of one call, by one draw; `elapsed` is the time in seconds since the faults were ordered."""
    if any(outage.is_on(elapsed) for outage in faults.outage):
        return Status(503, faults.retry_after)
    if (faults.only and operation not in faults.only) or faults.only_carts not in cart_id:
        return Pass()
    left = random.random()
    for weight, fault in _chances(faults):
        if left < weight:
            return fault
        left -= weight
    return Pass()


def _chances(faults: Faults) -> list[tuple[float, Fault]]:
    def status(code: int, *, applied: bool) -> Status:
        return Status(code, faults.retry_after if code in RETRY_AFTER_ON else None, applied)

    return [
        (faults.reset_before, ResetBefore()),
        (faults.timeout_before, HangBefore()),
        *((weight, status(code, applied=False)) for code, weight in faults.errors.items()),
        *((weight, status(code, applied=True)) for code, weight in faults.errors_after.items()),
        (faults.reset_after, ResetAfter()),
        (faults.timeout_after, HangAfter()),
    ]


def parse_faults(body: bytes) -> Faults:
    """Faults from JSON, every key optional; `outage` may also be true, false or one object.

    Raises msgspec.DecodeError, whose text says what is wrong and where.
    """
    given: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    match given.get("outage"):
        case bool(on):
            given["outage"] = [{}] if on else []
        case dict(one):
            given["outage"] = [one]
    return convert_faults(given)


def convert_faults(given: dict[str, Any]) -> Faults:
    """Faults from plain values; raises msgspec.ValidationError, which says what is wrong and where."""
    return msgspec.convert(given, Faults, str_keys=True)


class FaultsInForce:
    """The faults of the moment, to be replaced while the sandbox runs; `clock` gives epoch seconds."""

    def __init__(self, faults: Faults, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.order(faults)

    def order(self, faults: Faults) -> None:
        """Replaces all faults; outages and calls taken count from now."""
        self.faults = faults
        self._since = self._clock()
        self._taken: deque[float] = deque()

    def decide(self, operation: Operation, cart_id: str, random: Random) -> Fault:
        if not self._takes_one_more():
            return Status(429, 1 if self.faults.retry_after is None else self.faults.retry_after)
        return decide(self.faults, operation, cart_id, random, self._clock() - self._since)

    def _takes_one_more(self) -> bool:
        if self.faults.calls_per_second is None:
            return True
        now = self._clock()
        while self._taken and self._taken[0] <= now - WINDOW_SECONDS:
            self._taken.popleft()
        if len(self._taken) >= self.faults.calls_per_second:
            return False
        self._taken.append(now)
        return True
