"""The token endpoint in the OpenAPI document: OAuth 2.0 client credentials (RFC 6749, sections 4.4 and 5)."""

from __future__ import annotations

from typing import Any, Final

from worker.settings import TransactionsSettings
from worker.transactions import responses
from worker.transactions.media import FORM

REQUEST: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {
        "grant_type": {"const": "client_credentials"},
        "client_id": {"type": "string"},
        "client_secret": {"type": "string", "format": "password"},
    },
}


def token_path(settings: TransactionsSettings) -> dict[str, Any]:
    """Its one operation; who asks says so in the request itself."""
    return {
        "post": {
            "operationId": "getToken",
            "summary": "Get a token for client id and secret",
            "description": "Client id and secret in the body, or as user name and password of basic authentication.",
            "security": [],
            "requestBody": {"required": True, "content": {FORM: {"schema": REQUEST, "example": _example(settings)}}},
            "responses": {
                "200": _token(settings),
                "400": _error("The request is no such one.", ("invalid_request", "unsupported_grant_type")),
                "401": _error("Client id or secret are wrong.", ("invalid_client",)),
                **responses.of_body(),
                "429": responses.too_many(),
            },
        }
    }


def _example(settings: TransactionsSettings) -> dict[str, Any]:
    return {"grant_type": "client_credentials", "client_id": settings.client_id, "client_secret": "given separately"}


def _token(settings: TransactionsSettings) -> dict[str, Any]:
    properties = {
        "access_token": {"type": "string"},
        "token_type": {"const": "Bearer"},
        "expires_in": {"type": "integer", "description": "Seconds."},
    }
    schema = {"type": "object", "required": list(properties), "properties": properties}
    example = {"access_token": "2YotnFZFEjr1zCsicMWpAA", "token_type": "Bearer", "expires_in": settings.token_seconds}
    return responses.answer("A token, to be sent as Authorization: Bearer.", schema, example)


def _error(description: str, codes: tuple[str, ...]) -> dict[str, Any]:
    properties = {"error": {"enum": list(codes)}, "error_description": {"type": "string"}}
    schema = {"type": "object", "required": ["error"], "properties": properties}
    return responses.answer(description, schema, {"error": codes[0]})
