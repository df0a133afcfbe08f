"""The ways into the endpoint: each is open when its settings are there."""

from __future__ import annotations

from typing import Final, Literal

from worker.settings import TransactionsSettings

Way = Literal["apiKey", "basic", "oauth2"]

API_KEY_HEADER: Final = "x-api-key"
TOKEN_PATH: Final = "/oauth/token"  # noqa: S105 - where a token is asked for


def ways(settings: TransactionsSettings) -> tuple[Way, ...]:
    """Those that are open."""
    found: dict[Way, bool] = {
        "apiKey": settings.api_key is not None,
        "basic": settings.username is not None and settings.password is not None,
        "oauth2": settings.client_id is not None and settings.client_secret is not None,
    }
    return tuple(way for way, is_open in found.items() if is_open)
