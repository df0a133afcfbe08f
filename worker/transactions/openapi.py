"""The endpoint's documentation for programs: OpenAPI 3.1, made of the form and the settings. No secret is in it.

Rokt, "Transaction Export API", 1: "Full API documentation on how to create user entries in your system".
"""

from __future__ import annotations

from typing import Any, Final

from worker.settings import TransactionsSettings
from worker.transactions import responses, samples
from worker.transactions.form import Form
from worker.transactions.media import FORM, JSON, TEXT, XML
from worker.transactions.parameter_schemas import Schema, of_form
from worker.transactions.token_endpoint import token_path
from worker.transactions.ways import API_KEY_HEADER, TOKEN_PATH, Way, ways

VERSION: Final = "1"
ABOUT: Final = (
    "Rokt's Transaction Export sends each transaction here, once. The same transaction a second time, in whatever "
    "encoding, is answered as a duplicate. An optional parameter that is empty is as if it were not sent. "
    "201 and 200 mean that it is stored; 429, 503 and no answer that it is to be "
    "sent again; any other status that it is refused for good."
)
LINES: Final = "UTF-8, one name=value a line; the first = splits, nothing is escaped, blank lines are passed over."


def document(form: Form, settings: TransactionsSettings) -> dict[str, Any]:
    """The whole document."""
    open_ways = ways(settings)
    paths = {settings.path: _transactions(form, guarded=bool(open_ways))}
    if "oauth2" in open_ways:
        paths[TOKEN_PATH] = token_path(settings)
    return {
        "openapi": "3.1.0",
        "info": _info(form, settings),
        "servers": _servers(settings),
        "security": [{way: []} for way in open_ways],
        "paths": paths,
        "components": {
            "schemas": {
                "Transaction": of_form(form, samples.as_object(form), json=False) | {"xml": {"name": "transaction"}},
                "JsonTransaction": of_form(form, samples.as_object(form), json=True),
                "Error": responses.ERROR,
            },
            "securitySchemes": {way: _scheme(way, settings) for way in open_ways},
        },
    }


def _info(form: Form, settings: TransactionsSettings) -> Schema:
    identity = f"A transaction is identified by {' and '.join(form.identity)}."
    info = {"title": "Transactions from Rokt", "version": VERSION, "description": f"{ABOUT} {identity}"}
    return info | ({"contact": {"name": settings.contact}} if settings.contact else {})


def _servers(settings: TransactionsSettings) -> list[Schema]:
    urls = {"production": settings.public_url, "test": settings.test_url}
    return [{"url": url, "description": name} for name, url in urls.items() if url] or [{"url": "/"}]


def _scheme(way: Way, settings: TransactionsSettings) -> Schema:
    match way:
        case "apiKey":
            return {"type": "apiKey", "in": "header", "name": API_KEY_HEADER}
        case "basic":
            return {"type": "http", "scheme": "basic"}
        case "oauth2":
            flow = {"tokenUrl": f"{settings.public_url or ''}{TOKEN_PATH}", "scopes": {}}
            return {"type": "oauth2", "flows": {"clientCredentials": flow}}


def _transactions(form: Form, *, guarded: bool) -> Schema:
    answers = responses.of_transaction(form, body=True, guarded=guarded)
    return {
        **{
            method: {
                "operationId": f"{method}Transaction",
                "summary": f"Send a transaction as the body of a {method.upper()}",
                "requestBody": {"required": True, "content": _content(form)},
                "responses": answers,
            }
            for method in ("post", "put")
        },
        "get": {
            "operationId": "sendTransactionByQuery",
            "summary": "Send a transaction as a query",
            "parameters": _query(form),
            "responses": responses.of_transaction(form, body=False, guarded=guarded),
        },
    }


def _query(form: Form) -> list[Schema]:
    """A parameter that has other names may be there under one of them, which no list of parameters can say."""
    properties = of_form(form, samples.as_object(form), json=False)["properties"]
    return [
        {
            "name": name,
            "in": "query",
            "required": form.known[name].required and not form.known[name].also_called,
            "description": schema["description"],
            "schema": schema,
        }
        for name, schema in properties.items()
    ]


def _content(form: Form) -> Schema:
    return {
        JSON: {"schema": {"$ref": "#/components/schemas/JsonTransaction"}, "example": samples.as_object(form)},
        FORM: {"schema": {"$ref": "#/components/schemas/Transaction"}, "example": samples.as_object(form)},
        TEXT: {"schema": {"type": "string", "minLength": 1, "description": LINES}, "example": samples.as_lines(form)},
        XML: {"schema": {"$ref": "#/components/schemas/Transaction"}, "example": samples.as_xml(form)},
    }
