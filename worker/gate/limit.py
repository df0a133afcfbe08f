"""How many calls may be under way at once, learned from answers and latency. Pure: times are given, monotonic seconds.

In the manner of Vector's adaptive concurrency: once a round trip one more, where the limit was reached and the latency
is at or under its average; a tenth less when the server shows pressure or the latency jumps. It differs where its rules
would let one bad cart, or our own busy process, starve all other carts:

- What an answer waited for this process is no latency, and is taken off before. Where that was most of its time, all
  that is known is that it came: else a process that falls behind would allow itself less, and fall behind further.
- It begins as TCP does, one more for every success while the limit is reached, which doubles it each round trip, until
  the first pressure; what it overshot in that last round trip is given back by halving.
- Pressure counts when a tenth of the answers show it. One cart that fails for ever, or one answer in a hundred, says
  nothing about how many calls the server bears; Vector takes any, and at 64 calls in flight hardly a round trip is free
  of one in a hundred. It is judged over ten answers (or as many as the limit, where that is less), and only while the
  limit is reached: what is not reached is not the cause.
- A jump of the latency counts when it is more than 2.5 deviations and also more than half of the average: on an even
  connection the deviation is so small that every stall of the event loop would be a jump. On an uneven one the mean of
  ten answers is far off now and then by chance, which their own deviation tells.
- An average follows a queue that grows slowly, and so do limits that only look at it. So the least latency is kept too:
  at one and a half of it there is no more growth, and when it was not seen for half a minute the limit is halved for a
  round trip to look at it again. If the latency fell, the calls above one and a half of what the server bears (by
  Little's law) were a queue, and they go; if it did not, the server is slower now, and the limit stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, sqrt

WEIGHT = 0.4
"""Of the newest round trip in the average."""
DEVIATIONS = 2.5
JUMP = 1.5
QUEUE = 1.5
LESS = 0.9
PRESSED_SHARE = 0.1
ENOUGH_ANSWERS = 10
SETTLED_ROUNDS = 4
"""Before, the average says little: the first answers that come are the quick ones."""
SEEN_AGAIN = 1.25
LOOK_AGAIN_SECONDS = 30.0
SAME = 1.01


@dataclass(slots=True)
class Round:
    """What was heard since the limit was last considered."""

    ends_at: float = 0.0
    answers: int = 0
    pressed: int = 0
    successes: int = 0
    seconds: float = 0.0
    squares: float = 0.0
    reached: bool = False

    @property
    def error(self) -> float:
        """How far its mean may be off by chance: the deviation of single answers over the root of their number."""
        if not self.successes:
            return 0.0
        mean = self.seconds / self.successes
        return sqrt(max(0.0, self.squares / self.successes - mean * mean) / self.successes)


@dataclass(slots=True)
class Latency:
    """Seconds: weighted mean and variance over round trips, and the least of them, seen last at `least_at`."""

    mean: float
    least: float
    least_at: float
    variance: float = 0.0
    rounds: int = 1

    def jumped_to(self, seconds: float, error: float) -> bool:
        return self.rounds >= SETTLED_ROUNDS and seconds > max(
            JUMP * self.mean, self.mean + DEVIATIONS * max(sqrt(self.variance), error)
        )

    def add(self, seconds: float, now: float) -> None:
        off = seconds - self.mean
        self.mean += WEIGHT * off
        self.variance = (1 - WEIGHT) * (self.variance + WEIGHT * off * off)
        self.rounds += 1
        if self.rounds <= SETTLED_ROUNDS:
            self.least, self.least_at = self.mean, now
        elif seconds < SEEN_AGAIN * self.least:
            self.least, self.least_at = min(self.least, seconds), now


@dataclass(slots=True)
class Dip:
    """The limit is lowered for a moment; before it, it was so much, and the latency so long."""

    since: float
    value: int
    seconds: float


class Limit:
    """At least 1, at most `ceiling`; `start` is what it begins with."""

    def __init__(self, ceiling: int, start: int = 1) -> None:
        self.value = max(1, min(start, ceiling))
        self._ceiling = ceiling
        self._slow_start = True
        self._slow_up_to = ceiling
        self._round = Round()
        self._latency: Latency | None = None
        self._dip: Dip | None = None
        self._since = -inf

    @property
    def mean_seconds(self) -> float | None:
        """The latency's average, None before the first success."""
        return None if self._latency is None else self._latency.mean

    def begin_again(self, now: float) -> None:
        """After an outage: 1, and slow start to what was borne before it. Calls that went earlier say no more.

        Not to half of it, as in TCP: an outage is no queue, and from half one more a round trip takes a minute where
        an answer takes two seconds.
        """
        before = self._dip.value if self._dip else self.value
        self._slow_up_to = max(self._slow_up_to, before)
        self.value, self._slow_start, self._since = 1, True, now
        self._round, self._latency, self._dip = Round(), None, None

    def heard(self, now: float, *, sent_at: float, took: float | None, pressure: bool, reached: bool) -> None:
        """An answer came. `pressure`: 429, 5xx or no answer in time. `took`: seconds, of a success, where it is known.

        `reached`: so many were under way when it went that no other could have gone.
        """
        if sent_at < self._since:
            return
        this = self._round
        this.answers += 1
        this.pressed += pressure
        this.reached |= reached
        if took is not None:
            this.successes += 1
            this.seconds += took
            this.squares += took * took
        if self._slow_start and reached and not pressure:
            self._more()
        if now >= this.ends_at and this.answers >= min(ENOUGH_ANSWERS, self.value):
            self._consider(now, this)

    def _more(self) -> None:
        self.value = min(self._ceiling, self.value + 1)
        if self.value >= self._slow_up_to:
            self._slow_start = False

    def _consider(self, now: float, this: Round) -> None:
        """A round trip is over."""
        mean = this.seconds / this.successes if this.successes else None
        if self._latency is None and mean is not None:
            self._latency = Latency(mean, mean, now)
        known = self._latency
        if self._dip and known:
            self._end_dip(self._dip, known, mean, now)
        elif this.reached:
            self._change(this, known, mean)
            if known and self.value > 1 and not self._slow_start and now > known.least_at + LOOK_AGAIN_SECONDS:
                self._begin_dip(known, now)
        if known and mean is not None and not self._dip:
            known.add(mean, now)
        self._round = Round(ends_at=now + (known.mean if known else 0.0))

    def _change(self, this: Round, known: Latency | None, mean: float | None) -> None:
        pressed = this.pressed >= PRESSED_SHARE * this.answers and (this.pressed > 1 or not this.successes)
        if pressed or (known and mean is not None and known.jumped_to(mean, this.error)):
            self._less()
        elif not self._slow_start and self._bears_more(this, known, mean):
            self.value = min(self._ceiling, self.value + 1)

    def _bears_more(self, this: Round, known: Latency | None, mean: float | None) -> bool:
        """Whether nothing speaks against one more."""
        if known is None or mean is None:
            return this.pressed < this.answers
        return mean <= SAME * known.mean and mean <= QUEUE * known.least + this.error

    def _less(self) -> None:
        if self._slow_start:
            self.value = max(1, self.value // 2)
            if self.value > 1:
                self._slow_start, self._slow_up_to = False, self.value
        else:
            self.value = max(1, int(self.value * LESS))

    def _begin_dip(self, known: Latency, now: float) -> None:
        """Half, to see the latency without the queue. What went before it is not heard meanwhile."""
        self._dip = Dip(now, self.value, known.mean)
        self.value //= 2
        self._since = now

    def _end_dip(self, dip: Dip, known: Latency, mean: float | None, now: float) -> None:
        self._dip, self.value, known.least_at = None, dip.value, now
        if mean is not None:
            known.least = mean
            self.value = max(1, min(dip.value, ceil(QUEUE * dip.value * mean / dip.seconds)))
