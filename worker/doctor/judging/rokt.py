"""What Rokt's answer to `Placements/any` says of base URL and credentials."""

from __future__ import annotations

from typing import assert_never

from worker.doctor.finding import Finding, green, red, yellow
from worker.rokt.answers import Accepted, Answer, Conflict, Denied, Failed, Refused, Throttled

CHECK = "rokt"
URL = "WORKER_ROKT__BASE_URL"
CREDENTIALS = "give the key and the tag id that belong together in WORKER_ROKT__API_KEY and WORKER_ROKT__TAG_ID"
SERVER = 500
LATER = "ask again; the worker waits for it by itself"


def judge_placements(answer: Answer, where: str) -> Finding:
    """`where` is the base URL, which holds no secret."""
    match answer:
        case Accepted(unread=None):
            return green(CHECK, f"{where} takes these credentials")
        case Accepted(unread=why):
            return yellow(
                CHECK,
                f"{where} answered {answer.status}, but not as Rokt's API does: {why}",
                f"look at {URL}: who answers there?",
            )
        case Denied():
            return red(CHECK, f"{where} refuses these credentials ({answer.status})", CREDENTIALS)
        case Refused() | Conflict():
            return _refused(answer.status, where)
        case Throttled():
            return yellow(CHECK, f"{where} takes no more calls now ({answer.status})", LATER)
        case Failed(failure="server-error"):
            return yellow(CHECK, f"{where} is in trouble: {answer.detail}", LATER)
        case Failed():
            return red(
                CHECK,
                f"{where}: {answer.detail}",
                f"look at {URL}, at WORKER_ROKT__CA_LOCATION, and at what is between",
            )
        case _:
            assert_never(answer)


def _refused(status: int, where: str) -> Finding:
    if status in (404, 405, 410):
        return red(
            CHECK,
            f"{where} knows no such path ({status})",
            f"look at {URL}, and at WORKER_ROKT__PLACEMENTS_PATH if yours are others than Rokt's",
        )
    if 300 <= status < 400:
        return red(CHECK, f"{where} sends elsewhere ({status})", f"give the address itself in {URL}")
    return yellow(
        CHECK,
        f"{where} refuses the question ({status}), so whether it takes the credentials is not known",
        f"look at WORKER_ROKT__TAG_ID and {URL}, and ask Rokt",
    )
