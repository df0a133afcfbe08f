"""Another machine's clock against ours. Pure: times are given, in seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass

from worker.doctor.finding import Finding, green, yellow

SKEW_SECONDS = 5.0
MEND = "set the clocks by NTP, here and there"


@dataclass(frozen=True, slots=True)
class Heard:
    """A time that was told between our question and its arrival here; it ticks in `grain` seconds."""

    asked_at: float
    told: float
    answered_at: float
    grain: float = 0.0

    @property
    def skew(self) -> float:
        """How far it is ahead of ours at least; negative when it is behind, 0 when it may be right."""
        if self.told > self.answered_at:
            return self.told - self.answered_at
        return min(0.0, self.told + self.grain - self.asked_at)


def judge_clock(check: str, whose: str, heard: Heard) -> Finding:
    """Whether a clock and ours agree."""
    skew = heard.skew
    if abs(skew) <= SKEW_SECONDS:
        return green(check, f"{whose} and this machine's agree")
    side = "ahead of" if skew > 0 else "behind"
    return yellow(check, f"{whose} is {abs(skew):.0f} s {side} this machine's", MEND)
