"""The contract's table of answers, line by line, for calls with a history."""

import pytest

from worker.mapping import Call, CallItem
from worker.rokt.answers import (
    Accepted,
    Answer,
    Conflict,
    Denied,
    Failed,
    ItemAnswer,
    Refused,
    Throttled,
    read_answer,
)
from worker.verdict import NOTHING_SPECIAL, History, Settled, Standing, TryAgain, judge

CALL = Call(
    operation="confirm",
    key="key-1",
    body=b'{"attributes":{"email":"canary@example.com"}}',
    fingerprint=bytes(16),
    items=(CallItem("item-1", "reservation-1"), CallItem("item-2", "reservation-2")),
    cart_id="cart-1",
    order_id="order-1",
    session_id="session-1",
    locale=None,
)
FIRST = History()
NO_ANSWER = Failed("no-answer", "ReadTimeout", maybe_applied=True)
NOT_CONNECTED = Failed("not-connected", "ConnectError", maybe_applied=False)
SERVER_ERROR = Failed("server-error", "Rokt answered 503", maybe_applied=True, status=503)
ALONE = Standing(refused_alone=True)
POISON = Standing(poison=True)
ALL_REJECTED = Standing(all_rejected=True)


def item(number: int, *, success: bool) -> ItemAnswer:
    return ItemAnswer(f"item-{number}", f"reservation-{number}", None, None, success)


def settled(answer: Answer, *before: Answer, standing: Standing = NOTHING_SPECIAL) -> Settled:
    verdict = judged(answer, *before, standing=standing)
    assert isinstance(verdict, Settled)
    return verdict


def again(answer: Answer, *before: Answer, standing: Standing = NOTHING_SPECIAL) -> TryAgain:
    verdict = judged(answer, *before, standing=standing)
    assert isinstance(verdict, TryAgain)
    return verdict


def judged(answer: Answer, *before: Answer, standing: Standing = NOTHING_SPECIAL) -> Settled | TryAgain:
    history = FIRST
    for earlier in before:
        history = history.after(earlier)
    return judge(CALL, answer, history, standing)


def test_2xx_with_every_item_successful_succeeded() -> None:
    verdict = settled(Accepted(200, (item(1, success=True), item(2, success=True))))
    assert (verdict.status, verdict.http_status, verdict.attempts, verdict.death) == ("succeeded", 200, 1, None)


def test_2xx_with_some_items_unsuccessful_is_partial_and_dead_letters_those_items() -> None:
    verdict = settled(Accepted(200, (item(1, success=True), item(2, success=False))))
    assert verdict.status == "partial"
    assert [one.success for one in verdict.items] == [True, False]
    assert verdict.death is not None
    assert verdict.death.reason == "item-rejected"
    assert "reservation-2" in verdict.death.message
    assert "reservation-1" not in verdict.death.message
    assert (verdict.death.http_status, verdict.death.operation, verdict.death.key) == (200, "confirm", "key-1")


def test_2xx_with_every_item_unsuccessful_did_not_succeed_and_is_dead_lettered_as_its_items() -> None:
    verdict = settled(Accepted(200, (item(1, success=False), item(2, success=False))))
    assert verdict.status not in ("succeeded", "duplicate")
    assert verdict.death is not None
    assert verdict.death.reason == "item-rejected"


def test_2xx_with_a_body_that_cannot_be_read_succeeded_and_keeps_why() -> None:
    verdict = settled(read_answer(200, b"<html>", CALL.items, None))
    assert verdict.status == "succeeded"
    assert verdict.unread
    assert verdict.death is None


def test_a_dead_letter_for_ten_thousand_items_does_not_name_them_all() -> None:
    verdict = settled(Accepted(200, tuple(item(n, success=False) for n in range(10_000))))
    assert verdict.death is not None
    assert len(verdict.death.message) < 2048
    assert "10000" in verdict.death.message


@pytest.mark.parametrize("before", [NO_ANSWER, SERVER_ERROR])
def test_409_after_an_attempt_whose_outcome_is_unknown_is_a_duplicate(before: Answer) -> None:
    verdict = settled(Conflict(409, "seen before"), before)
    assert verdict.status == "duplicate"
    assert verdict.death is None
    assert verdict.attempts == 2
    assert all(one.success for one in verdict.items)
    assert len(verdict.items) == 2


def test_409_after_a_crash_with_the_call_under_way_is_a_duplicate() -> None:
    verdict = judge(CALL, Conflict(409, ""), History(attempts=0, maybe_applied=True))
    assert isinstance(verdict, Settled)
    assert verdict.status == "duplicate"


@pytest.mark.parametrize(
    "before",
    [(), (Throttled(429, "", None),), (Throttled(408, "", None),), (Throttled(425, "", 1.0),), (NOT_CONNECTED,)],
)
def test_409_to_a_call_that_cannot_have_been_done_before_is_rejected(before: tuple[Answer, ...]) -> None:
    verdict = settled(Conflict(409, "seen before"), *before)
    assert verdict.status == "rejected"
    assert verdict.death is not None
    assert verdict.death.reason == "rejected"


def test_409_after_a_refusal_of_the_credentials_is_rejected() -> None:
    assert settled(Conflict(409, ""), Denied(401, "")).status == "rejected"


@pytest.mark.parametrize("later", [Throttled(429, "", None), NOT_CONNECTED, Denied(401, "")])
def test_an_unknown_outcome_stays_unknown_whatever_comes_after_it(later: Answer) -> None:
    assert settled(Conflict(409, ""), NO_ANSWER, later, later).status == "duplicate"


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 405, 409, 410, 413, 415, 418, 422, 451])
def test_a_refusal_is_a_dead_letter_at_once_with_what_rokt_said(status: int) -> None:
    verdict = settled(read_answer(status, b'{"description": "no"}', CALL.items, None))
    assert verdict.status == "rejected"
    assert (verdict.http_status, verdict.attempts) == (status, 1)
    assert verdict.death is not None
    assert verdict.death.reason == "rejected"
    assert verdict.death.http_status == status
    assert verdict.death.http_body == '{"description": "no"}'
    assert verdict.death.attempts == 1
    assert (verdict.death.operation, verdict.death.key) == ("confirm", "key-1")
    assert not any(one.success for one in verdict.items)


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_dead_letter_nothing_however_often(status: int) -> None:
    assert isinstance(judged(Denied(status, ""), *[Denied(status, "")] * 1000), TryAgain)


@pytest.mark.parametrize("status", [401, 403])
def test_a_call_still_denied_while_others_succeed_with_the_same_credentials_is_rejected(status: int) -> None:
    verdict = settled(Denied(status, "no"), Denied(status, "no"), standing=ALONE)
    assert verdict.status == "rejected"
    assert verdict.death is not None
    assert (verdict.death.reason, verdict.death.http_status) == ("rejected", status)


@pytest.mark.parametrize("answer", [Throttled(408, "", 9.0), Throttled(425, "", 9.0), Throttled(429, "", 9.0)])
def test_408_425_and_429_are_retried_and_their_retry_after_is_passed_on(answer: Answer) -> None:
    assert again(answer).retry_after == 9.0


@pytest.mark.parametrize("answer", [SERVER_ERROR, NO_ANSWER, NOT_CONNECTED])
def test_5xx_a_broken_connection_and_a_timeout_are_retried(answer: Answer) -> None:
    assert again(answer).why


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_the_retry_after_of_a_5xx_is_passed_on(status: int) -> None:
    assert again(read_answer(status, b"", CALL.items, 4.0)).retry_after == 4.0


@pytest.mark.parametrize("answer", [SERVER_ERROR, NO_ANSWER, NOT_CONNECTED, Throttled(429, "", None)])
def test_without_others_that_succeed_a_call_is_tried_again_however_often_it_failed(answer: Answer) -> None:
    assert again(answer, *[answer] * 1000).why


@pytest.mark.parametrize(
    ("answer", "before", "reason"),
    [
        (NOT_CONNECTED, [NOT_CONNECTED] * 7, "exhausted"),
        (Throttled(429, "slow down", None), [Throttled(429, "", None)] * 7, "exhausted"),
        (SERVER_ERROR, [NOT_CONNECTED] * 7, "unknown-outcome"),
        (NO_ANSWER, [NOT_CONNECTED] * 7, "unknown-outcome"),
        (NOT_CONNECTED, [NO_ANSWER, *[NOT_CONNECTED] * 6], "unknown-outcome"),
    ],
)
def test_poison_is_given_up_and_whether_it_may_have_been_done_makes_the_reason(
    answer: Answer, before: list[Answer], reason: str
) -> None:
    verdict = settled(answer, *before, standing=POISON)
    assert verdict.death is not None
    assert (verdict.status, verdict.death.reason, verdict.death.attempts, verdict.attempts) == ("dead", reason, 8, 8)
    assert (verdict.death.operation, verdict.death.key) == ("confirm", "key-1")
    assert "after 8 attempts" in verdict.death.message
    assert [one.success for one in verdict.items] == [False, False]


def test_the_dead_letter_of_poison_has_what_rokt_said_last() -> None:
    verdict = settled(Failed("server-error", "Rokt answered 500", True, 500, "no such cart"), standing=POISON)
    assert verdict.death is not None
    assert (verdict.death.http_status, verdict.death.http_body, verdict.http_status) == (500, "no such cart", 500)


@pytest.mark.parametrize("answer", [Accepted(200, ()), Refused(400, ""), Conflict(409, "")])
def test_a_poison_call_that_is_answered_after_all_is_judged_by_its_answer(answer: Answer) -> None:
    assert settled(answer, standing=POISON) == settled(answer)


@pytest.mark.parametrize("answer", [Refused(404, "no"), Refused(301, ""), Conflict(409, "")])
def test_where_all_calls_are_rejected_none_is_for_it(answer: Refused | Conflict) -> None:
    assert str(answer.status) in again(answer, standing=ALL_REJECTED).why


def test_where_all_calls_are_rejected_a_duplicate_is_one_and_a_success_is_one() -> None:
    assert settled(Conflict(409, ""), NO_ANSWER, standing=ALL_REJECTED).status == "duplicate"
    assert settled(Accepted(200, ()), standing=ALL_REJECTED).status == "succeeded"


def test_attempts_are_counted_over_all_of_a_calls_history() -> None:
    verdict = settled(Accepted(200, ()), NO_ANSWER, Throttled(429, "", None), Denied(401, ""))
    assert verdict.attempts == 4


def test_a_verdicts_words_hold_nothing_of_the_calls_body_or_session() -> None:
    for answer in (Refused(400, ""), Conflict(409, ""), Denied(401, "")):
        told = repr(settled(answer, standing=ALONE))
        assert "canary" not in told
        assert "session-1" not in told
    for failure in (NO_ANSWER, NOT_CONNECTED, SERVER_ERROR, Throttled(429, "", None)):
        told = repr(settled(failure, standing=POISON))
        assert "canary" not in told
        assert "session-1" not in told
