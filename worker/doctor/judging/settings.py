"""Where the settings came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from worker.doctor.finding import Finding, green, red, yellow

CHECK = "settings"
WRONG = "give what is allowed there: without it nothing else can be asked"
ENVIRONMENT = "environment"
REREAD = ("WORKER_ROKT__API_KEY", "WORKER_ROKT__TAG_ID")


def judge_settings(origins: Mapping[str, Sequence[str]]) -> list[Finding]:
    """`origins`: the places where each setting stands, the one that counts first. No value is among them."""
    counts: dict[str, int] = {}
    for places in origins.values():
        counts[places[0]] = counts.get(places[0], 0) + 1
    told = ", ".join(f"{count} from {_place(place)}" for place, count in counts.items())
    findings = [green(CHECK, f"{len(origins)} given: {told}; the others have their defaults")]
    findings += [_hidden(name, places) for name, places in origins.items() if _reread_in_vain(name, places)]
    return findings


def judge_wrong(problems: Sequence[str]) -> list[Finding]:
    """Settings that the worker does not start with."""
    return [red(CHECK, problem, WRONG) for problem in problems]


def _reread_in_vain(name: str, places: Sequence[str]) -> bool:
    return name in REREAD and places[0] == ENVIRONMENT and len(places) > 1


def _hidden(name: str, places: Sequence[str]) -> Finding:
    others = " and ".join(places[1:])
    return yellow(
        CHECK,
        f"{name} stands in the environment and in {others}: the environment counts, a new one in the file never does",
        "leave it out of the environment, so that a new one is taken without a restart",
    )


def _place(place: str) -> str:
    return f"the {place}" if place == ENVIRONMENT else place
