"""Who may call the endpoint: every way in, every wrong key, and tokens that end."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import SettingsError
from worker.settings import TransactionsSettings
from worker.transactions.access import Access, NoToken, Token

NOW = 1_700_000_000.0
KEY = {"api_key": "canary-key-1"}
BASIC = {"username": "rokt", "password": "pass:word ü"}
OAUTH = {"client_id": "id:1", "client_secret": "s%cret+/ü", "token_seconds": 60}
ASK = b"grant_type=client_credentials"


def access(*ways: Mapping[str, Any], **more: Any) -> Access:
    return Access(TransactionsSettings(**{name: value for way in ways for name, value in way.items()}, **more))


def basic(name: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


def token(of: Access, now: float = NOW) -> str:
    answer = of.token({}, b"grant_type=client_credentials&client_id=id%3A1&client_secret=s%25cret%2B%2F%C3%BC", now)
    assert isinstance(answer, Token)
    return answer.text


def test_an_api_key_lets_in_and_no_other_does() -> None:
    way = access(KEY)
    assert way.admits({"x-api-key": "canary-key-1"}, NOW)
    wrong: list[dict[str, str]] = [{}, {"x-api-key": ""}, {"x-api-key": "canary-key-2"}, bearer("canary-key-1")]
    assert not any(way.admits(headers, NOW) for headers in wrong)


def test_a_name_and_password_let_in_with_a_colon_and_other_letters_in_the_password() -> None:
    way = access(BASIC)
    assert way.admits(basic("rokt", "pass:word ü"), NOW)
    wrong = [basic("rokt", "pass"), basic("other", "pass:word ü"), basic("", ""), {"authorization": "Basic"}]
    wrong += [{"authorization": f"Basic {text}"} for text in ("!!!", "cm9rdA==", "", "é")]
    assert not any(way.admits(headers, NOW) for headers in wrong)


def test_a_token_lets_in_until_it_ends_and_not_once_the_secret_is_another() -> None:
    way = access(OAUTH)
    text = token(way)
    assert way.admits(bearer(text), NOW + 59)
    assert not way.admits(bearer(text), NOW + 60)
    assert not access({**OAUTH, "client_secret": "another"}).admits(bearer(text), NOW)
    assert access(OAUTH).admits(bearer(text), NOW), "another process knows it too"


@pytest.mark.parametrize("wrong", ["", ".", "a.b", "eyJleHAiOjk5OTk5OTk5OTl9.", "é.é", "..."])
def test_a_token_that_was_not_given_here_lets_nobody_in(wrong: str) -> None:
    assert not access(OAUTH).admits(bearer(wrong), NOW)


def test_a_token_whose_end_was_put_off_lets_nobody_in() -> None:
    way = access(OAUTH)
    longer = base64.urlsafe_b64encode(b'{"exp": 9999999999}').rstrip(b"=").decode()
    assert not way.admits(bearer(f"{longer}.{token(way).partition('.')[2]}"), NOW)


@given(st.text(max_size=60))
def test_no_header_whatever_it_holds_is_an_error(text: str) -> None:
    way = access(KEY, BASIC, OAUTH)
    for headers in ({"authorization": text}, {"authorization": f"Basic {text}"}, bearer(text), {"x-api-key": text}):
        assert not way.admits(headers, NOW)


def test_several_ways_are_open_at_once() -> None:
    way = access(KEY, BASIC, OAUTH)
    assert way.ways == ("apiKey", "basic", "oauth2")
    assert all(
        way.admits(headers, NOW)
        for headers in ({"x-api-key": "canary-key-1"}, basic("rokt", "pass:word ü"), bearer(token(way)))
    )
    assert [scheme.split()[0] for scheme in way.challenge.split(", ")] == ["ApiKey", "Basic", "Bearer"]


def test_a_client_may_name_itself_in_a_basic_header_with_both_parts_encoded() -> None:
    answer = access(OAUTH).token(basic("id%3A1", "s%25cret%2B%2F%C3%BC"), ASK, NOW)
    assert isinstance(answer, Token)
    assert answer.seconds == 60


@pytest.mark.parametrize(
    ("body", "error", "status"),
    [
        (b"", "invalid_request", 400),
        (b"\xff", "invalid_request", 400),
        (b"grant_type=a&grant_type=b", "invalid_request", 400),
        (b"client_id=id", "invalid_request", 400),
        (b"grant_type=password", "unsupported_grant_type", 400),
        (ASK, "invalid_client", 401),
        (ASK + b"&client_id=id%3A1", "invalid_client", 401),
        (ASK + b"&client_id=id%3A1&client_secret=wrong", "invalid_client", 401),
    ],
)
def test_a_wrong_request_for_a_token_is_answered_in_oauths_own_words(body: bytes, error: str, status: int) -> None:
    answer = access(OAUTH).token({}, body, NOW)
    assert isinstance(answer, NoToken)
    assert (answer.error, answer.status) == (error, status)


def test_where_tokens_are_no_way_in_nobody_gets_one() -> None:
    assert access(KEY).token({}, ASK + b"&client_id=&client_secret=", NOW) == NoToken("invalid_client")


def test_without_any_way_in_it_does_not_start_unless_it_is_told_to_be_open() -> None:
    with pytest.raises(SettingsError, match="WORKER_TRANSACTIONS__API_KEY"):
        access()
    assert access(open=True).admits({}, NOW)


@pytest.mark.parametrize("name", ["username", "password", "client_id", "client_secret"])
def test_half_a_way_in_stops_the_start_with_the_name_of_what_is_missing(name: str) -> None:
    with pytest.raises(SettingsError, match=r"WORKER_TRANSACTIONS__\w+ is not set") as told:
        access(KEY, {name: "canary-secret"})
    assert "canary" not in str(told.value)
