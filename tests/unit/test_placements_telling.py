"""What `rokt-worker placements` says of each kind of reply."""

from __future__ import annotations

import pytest

from worker.placements.question import Question, Reply
from worker.placements.telling import document, trouble, words
from worker.rokt.answers import Accepted, Answer, Conflict, Denied, Failed, Refused, Throttled
from worker.rokt.placements import Placements, PlacementsRequest
from worker.rokt.said import Complaint, Said

URL = "https://api.rokt.example"
TRACE = "0af7651916cd43dd8448eb211c80319c"
YES = Placements(Accepted(200, ()), result=True)
NO = Placements(Accepted(200, ()), result=False)
SAID = Said("Not so", (Complaint("BadPage", "no such page"), Complaint("BadTag", "ada@example.org has none")))


def told(answer: Answer, said: Said | None = None, *private: str) -> list[str]:
    return trouble(Placements(answer, said=said), URL, private)


@pytest.mark.parametrize(
    ("came", "said", "result"),
    [
        (YES, "There is a placement to show.", True),
        (NO, "There is no placement to show.", False),
        (Placements(Accepted(200, (), "no")), "Whether there is a placement to show is not known.", None),
    ],
    ids=["yes", "no", "unknown"],
)
def test_the_result_is_told_in_words_and_as_json(came: Placements, said: str, result: bool | None) -> None:
    reply = Reply(came, 0.03141, TRACE)
    assert words(reply, None) == [said, f"answer 200 in 0.031 s, trace {TRACE}"]
    assert document(reply) == {"result": result, "status": 200, "seconds": 0.031, "traceId": TRACE}


def test_no_answer_has_no_status() -> None:
    reply = Reply(Placements(Failed("no-answer", "no answer in 10 s", True)), 10.0, None)
    assert words(reply, None)[1] == "no answer in 10.000 s"
    assert document(reply) == {"result": None, "status": None, "seconds": 10.0, "traceId": None}


def test_a_trace_is_a_link_where_the_settings_have_one() -> None:
    (_, second) = words(Reply(YES, 0.1, TRACE), "https://jaeger.example/trace/{trace_id}")
    assert second == f"answer 200 in 0.100 s, trace https://jaeger.example/trace/{TRACE}"


@pytest.mark.parametrize("came", [YES, NO])
def test_yes_and_no_are_no_trouble(came: Placements) -> None:
    assert trouble(came, URL, []) == []


@pytest.mark.parametrize(
    ("answer", "what", "mend"),
    [
        (Accepted(200, (), "there is no result in it"), "answered 200", "who answers there?"),
        (Denied(401, ""), "refuses these credentials (401)", "WORKER_ROKT__API_KEY and WORKER_ROKT__TAG_ID"),
        (Denied(403, ""), "refuses these credentials (403)", "WORKER_ROKT__API_KEY and WORKER_ROKT__TAG_ID"),
        (Refused(422, ""), "refuses the question (422)", "WORKER_ROKT__TAG_ID and WORKER_ROKT__BASE_URL, and ask Rokt"),
        (Refused(404, ""), "knows no such path (404)", "WORKER_ROKT__BASE_URL"),
        (Refused(302, ""), "sends elsewhere (302)", "WORKER_ROKT__BASE_URL"),
        (Conflict(409, ""), "refuses the question (409)", "ask Rokt"),
        (Throttled(429, "", None), "takes no more calls now (429)", "ask again;"),
        (Throttled(429, "", 7.0), "takes no more calls now (429)", "ask again in 7 s"),
        (Failed("server-error", "Rokt answered 503", True, 503), "is in trouble: Rokt answered 503", "ask again;"),
        (Failed("server-error", "Rokt answered 503", True, 503, "", 9.0), "is in trouble", "ask again in 9 s"),
        (Failed("no-answer", "no answer in 10 s", True), "no answer in 10 s", "WORKER_ROKT__BASE_URL"),
        (Failed("not-connected", "connection refused", False), "connection refused", "WORKER_ROKT__BASE_URL"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_each_trouble_is_a_line_with_its_mend(answer: Answer, what: str, mend: str) -> None:
    (line,) = told(answer)
    before, after = line.split("; mend: ")
    assert before.startswith(URL)
    assert what in before
    assert mend in after


def test_what_rokt_names_is_told_by_code_and_message_and_is_what_to_change() -> None:
    line, *said = told(Refused(400, "{...}"), SAID)
    assert "mend: change in the question what Rokt names" in line
    assert said == [
        "Rokt said: Not so",
        "Rokt said: BadPage: no such page",
        "Rokt said: BadTag: ada@example.org has none",
    ]


@pytest.mark.parametrize("answer", [Denied(403, "{...}"), Failed("server-error", "Rokt answered 500", True, 500)])
def test_rokts_words_come_with_every_trouble_that_has_them(answer: Answer) -> None:
    assert told(answer, SAID)[1:3] == ["Rokt said: Not so", "Rokt said: BadPage: no such page"]


def test_what_is_personal_is_left_out_of_rokts_words() -> None:
    question = Question(PlacementsRequest("c", "p", "https://a.example", {"mail": "ada@example.org"}), "page", "en")
    assert told(Refused(400, "{...}"), SAID, *question.personal)[2:] == [
        "Rokt said: BadPage: no such …",
        "Rokt said: BadTag: … has none",
    ]
    assert "ada" not in repr(question)


def test_an_answer_in_another_form_is_not_quoted() -> None:
    assert told(Refused(400, "<html>"))[1:] == ["The answer is not in Rokt's form of an error, and is not shown."]


def test_of_very_many_and_very_long_sentences_the_first_are_told() -> None:
    said = told(Refused(400, "{...}"), Said(None, (Complaint("A", "x" * 1_000),) * 25))[1:]
    assert (len(said), said[-1]) == (11, "Rokt said 15 more")
    assert max(map(len, said)) < 600
