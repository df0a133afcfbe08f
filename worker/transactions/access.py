"""Who may call: the ways in that are open, each when its settings are there, and the tokens of one of them.

An API key in a header; HTTP Basic (RFC 7617); OAuth 2 client credentials (RFC 6749, sections 2.3.1 and 4.4) with bearer
tokens (RFC 6750). Tokens are signed and not kept, so every process of the partner's knows those of the others. What is
given is compared in a time that tells nothing of what is expected.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote_plus

from worker.errors import SettingsError
from worker.settings import TransactionsSettings
from worker.transactions.ways import API_KEY_HEADER, Way, ways

REALM: Final = 'realm="rokt-worker transactions"'
NONE_OPEN: Final = (
    "no way in is set: WORKER_TRANSACTIONS__API_KEY, or __USERNAME and __PASSWORD, or __CLIENT_ID and __CLIENT_SECRET; "
    "WORKER_TRANSACTIONS__OPEN=true lets everybody in"
)


@dataclass(frozen=True, slots=True)
class Token:
    """What /oauth/token answers; `seconds` is how long it is good."""

    text: str
    seconds: int


@dataclass(frozen=True, slots=True)
class NoToken:
    """Why there is none: `error` is a word of RFC 6749, section 5.2."""

    error: Literal["invalid_request", "invalid_client", "unsupported_grant_type"]

    @property
    def status(self) -> int:
        """401 for who it is, 400 for what is asked."""
        return 401 if self.error == "invalid_client" else 400


class Access:
    """The ways in that settings open. Raises SettingsError when there is none, or half of one. `now` is epoch seconds.

    Header names are lower case. Nothing that is given is kept or told.
    """

    def __init__(self, settings: TransactionsSettings) -> None:
        key, password, secret = (
            None if one is None else one.get_secret_value().encode()
            for one in (settings.api_key, settings.password, settings.client_secret)
        )
        self._open = settings.open
        self._ways = ways(settings)
        self._key = key
        self._basic = _pair("USERNAME", settings.username, "PASSWORD", password)
        self._client = _pair("CLIENT_ID", settings.client_id, "CLIENT_SECRET", secret)
        self._signing = hashlib.sha256(b"rokt-worker transactions token\x00" + (secret or b"")).digest()
        self._seconds = settings.token_seconds
        if not (self.ways or self._open):
            raise SettingsError([NONE_OPEN])

    @property
    def ways(self) -> tuple[Way, ...]:
        """Those that are open."""
        return self._ways

    @property
    def challenge(self) -> str:
        """What a 401 asks for (RFC 9110, section 11.6.1)."""
        schemes: Mapping[Way, str] = {"apiKey": "ApiKey", "basic": "Basic", "oauth2": "Bearer"}
        return ", ".join(f"{schemes[way]} {REALM}" for way in self.ways)

    def admits(self, headers: Mapping[str, str], now: float) -> bool:
        """Whether a request with these headers may come in."""
        if self._open:
            return True
        given = headers.get("authorization", "")
        scheme, _, rest = given.partition(" ")
        admitted = [
            self._key is not None and _same(headers.get(API_KEY_HEADER, "").encode(), self._key),
            self._basic is not None and scheme.lower() == "basic" and _is(_basic(rest), self._basic),
            self._client is not None and scheme.lower() == "bearer" and self._is_token(rest.strip(), now),
        ]
        return any(admitted)

    def token(self, headers: Mapping[str, str], body: bytes, now: float) -> Token | NoToken:
        """A token for a client, by its id and secret in a Basic header or in the body."""
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=20)
        except ValueError:
            return NoToken("invalid_request")
        asked = dict(pairs)
        if len(asked) != len(pairs) or "grant_type" not in asked:
            return NoToken("invalid_request")
        if asked["grant_type"] != "client_credentials":
            return NoToken("unsupported_grant_type")
        if self._client is None or not _is(_client(headers, asked), self._client):
            return NoToken("invalid_client")
        until = int(now) + self._seconds
        payload = _encoded(json.dumps({"exp": until}).encode())
        return Token(f"{payload}.{self._signature(payload)}", self._seconds)

    def _is_token(self, text: str, now: float) -> bool:
        payload, _, signature = text.partition(".")
        if not _same(signature.encode(), self._signature(payload).encode()):
            return False
        until = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]
        return bool(now < until)

    def _signature(self, payload: str) -> str:
        return _encoded(hmac.digest(self._signing, payload.encode(), "sha256"))


Pair = tuple[bytes, bytes]


def _pair(name: str, given: str | None, other: str, secret: bytes | None) -> Pair | None:
    if (given is None) != (secret is None):
        missing, there = (name, other) if given is None else (other, name)
        raise SettingsError([f"WORKER_TRANSACTIONS__{missing} is not set, and WORKER_TRANSACTIONS__{there} is"])
    return None if given is None or secret is None else (given.encode(), secret)


def _client(headers: Mapping[str, str], asked: Mapping[str, str]) -> Pair | None:
    """Who asks for a token. In a Basic header both parts are form-encoded first (RFC 6749, section 2.3.1)."""
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        pair = _basic(rest)
        return None if pair is None else tuple(unquote_plus(part.decode("latin-1")).encode() for part in pair)  # type: ignore[return-value]
    if "client_id" in asked and "client_secret" in asked:
        return asked["client_id"].encode(), asked["client_secret"].encode()
    return None


def _basic(text: str) -> Pair | None:
    try:
        name, colon, password = base64.b64decode(text.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if colon else None


def _is(given: Pair | None, expected: Pair) -> bool:
    if given is None:
        return False
    same = [_same(one, other) for one, other in zip(given, expected, strict=True)]
    return all(same)


def _same(given: bytes, expected: bytes) -> bool:
    """By their digests, which have one length."""
    return hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(expected).digest())


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
