"""A reply in words and as JSON. Pure. Of what was asked nothing is repeated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from worker.doctor.judging.rokt import judge_placements
from worker.explain.document import linked
from worker.placements.question import Reply
from worker.rokt.answers import Answer, Conflict, Failed, Refused, Throttled
from worker.rokt.placements import Placements
from worker.rokt.said import without

RESULTS: Final = {
    True: "There is a placement to show.",
    False: "There is no placement to show.",
    None: "Whether there is a placement to show is not known.",
}
SENTENCES_SHOWN: Final = 10
SENTENCE_KEPT: Final = 500
ABOUT_THE_QUESTION: Final = (400, 409, 413, 422)


def document(reply: Reply) -> dict[str, Any]:
    """What a program may rely on."""
    return {
        "result": reply.came.result,
        "status": reply.came.answer.status,
        "seconds": round(reply.seconds, 3),
        "traceId": reply.trace_id,
    }


def words(reply: Reply, link: str | None) -> list[str]:
    """The result, and how it came."""
    status = reply.came.answer.status
    came = "no answer" if status is None else f"answer {status}"
    trace = linked(link, reply.trace_id) or reply.trace_id
    return [RESULTS[reply.came.result], f"{came} in {reply.seconds:.3f} s" + (f", trace {trace}" if trace else "")]


def trouble(came: Placements, where: str, private: Iterable[str]) -> list[str]:
    """Why there is no result, with the mend, and what Rokt said of it; nothing where there is one.

    `where` is the base URL. What is `private` is left out of Rokt's words.
    """
    if came.result is not None:
        return []
    finding = judge_placements(came.answer, where)
    return [f"{finding.what}; mend: {_mend(came, finding.mend)}", *_said(came, list(private))]


def _mend(came: Placements, usual: str) -> str:
    match came.answer:
        case Throttled(retry_after=float(seconds)) | Failed(retry_after=float(seconds)):
            return f"ask again in {seconds:g} s"
        case Refused(status) | Conflict(status) if status in ABOUT_THE_QUESTION and came.said and came.said.sentences:
            return "change in the question what Rokt names, or the tag id in WORKER_ROKT__TAG_ID"
    return usual


def _said(came: Placements, private: list[str]) -> list[str]:
    if came.said is None:
        return ["The answer is not in Rokt's form of an error, and is not shown."] if _body(came.answer) else []
    sentences = came.said.sentences
    shown = [f"Rokt said: {without(each, private)[:SENTENCE_KEPT]}" for each in sentences[:SENTENCES_SHOWN]]
    more = len(sentences) - len(shown)
    return [*shown, f"Rokt said {more} more"] if more else shown


def _body(answer: Answer) -> str:
    return getattr(answer, "body", "")
