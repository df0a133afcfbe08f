"""The documentation for programs: it holds to its specification, tells what is open, and its examples are taken."""

import json
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import SecretStr

from infra.canaries import SECRETS, found
from worker.settings import TransactionsSettings
from worker.transactions.bodies import read_body, read_query
from worker.transactions.checking import check
from worker.transactions.form import Form, default_form
from worker.transactions.form_file import read_form
from worker.transactions.openapi import document
from worker.transactions.samples import as_query, urlencoded
from worker.transactions.transaction import Transaction, Wrong

SHOWN = Path(__file__).parents[2] / "deploy" / "transactions.fields.toml"
DEFAULT = default_form(("transactionId",))
FORMS = [DEFAULT, read_form(SHOWN, ("transactionId",)), default_form(("orderId", "email"))]
API_KEY, PASSWORD, CLIENT_SECRET = (SecretStr(secret) for secret in list(SECRETS.values())[:3])
CLOSED = TransactionsSettings(
    api_key=API_KEY,
    username="rokt",
    password=PASSWORD,
    client_id="rokt-client",
    client_secret=CLIENT_SECRET,
    public_url="https://shop.example",
    test_url="https://test.shop.example/in",
    contact="Ada Muster, ada@shop.example",
    path="/from-rokt",
)
OPEN = TransactionsSettings(open=True)


def operation(told: dict[str, Any], method: str) -> dict[str, Any]:
    (path,) = (path for path in told["paths"] if path != "/oauth/token")
    found: dict[str, Any] = told["paths"][path][method]
    return found


def schema(told: dict[str, Any], name: str) -> OAS31Validator:
    return OAS31Validator(told["components"]["schemas"][name])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("settings", [OPEN, CLOSED])
def test_it_is_an_openapi_document(form: Form, settings: TransactionsSettings) -> None:
    told = json.loads(json.dumps(document(form, settings)))
    assert list(OpenAPIV31SpecValidator(told).iter_errors()) == []


def test_no_secret_is_in_it() -> None:
    assert found(json.dumps(document(DEFAULT, CLOSED)), SECRETS) == set()


def test_the_ways_in_that_are_open_are_told_and_no_others() -> None:
    told = document(DEFAULT, CLOSED)
    assert told["security"] == [{"apiKey": []}, {"basic": []}, {"oauth2": []}]
    schemes = told["components"]["securitySchemes"]
    assert schemes["apiKey"] == {"type": "apiKey", "in": "header", "name": "x-api-key"}
    assert schemes["oauth2"]["flows"]["clientCredentials"]["tokenUrl"] == "https://shop.example/oauth/token"
    assert told["paths"]["/oauth/token"]["post"]["security"] == []
    one = document(DEFAULT, TransactionsSettings(username="rokt", password=PASSWORD, client_id="half"))
    assert one["security"] == [{"basic": []}]
    assert one["components"]["securitySchemes"].keys() == {"basic"}
    assert "/oauth/token" not in one["paths"]


def test_where_it_is_open_nobody_is_denied() -> None:
    told = document(DEFAULT, OPEN)
    assert told["security"] == []
    assert "401" not in operation(told, "post")["responses"]


def test_the_servers_are_the_endpoints_or_wherever_it_was_read() -> None:
    assert [each["url"] for each in document(DEFAULT, CLOSED)["servers"]] == [
        "https://shop.example",
        "https://test.shop.example/in",
    ]
    assert document(DEFAULT, OPEN)["servers"] == [{"url": "/"}]


def test_every_answer_of_the_contract_is_told() -> None:
    told = document(DEFAULT, CLOSED)
    assert told["paths"].keys() == {"/from-rokt", "/oauth/token"}
    for method in ("post", "put"):
        answers = operation(told, method)["responses"]
        assert answers.keys() == {"200", "201", "400", "401", "413", "415", "429", "503"}
        assert answers["200"]["content"]["application/json"]["example"] == {"status": "duplicate"}
        assert answers["201"]["content"]["application/json"]["example"] == {"status": "created"}
        assert "Retry-After" in answers["503"]["headers"]
    assert operation(told, "get")["responses"].keys() == {"200", "201", "400", "401", "414", "429", "503"}


@pytest.mark.parametrize("form", FORMS)
def test_every_answer_has_an_example_that_its_schema_takes(form: Form) -> None:
    told = document(form, CLOSED)
    for operations in told["paths"].values():
        for each in operations.values():
            for answer in each["responses"].values():
                (content,) = answer["content"].values()
                whole = {**content["schema"], "components": told["components"]}
                OAS31Validator(whole).validate(content["example"])


@pytest.mark.parametrize("form", FORMS)
def test_the_example_of_every_encoding_is_taken_as_the_same_transaction(form: Form) -> None:
    content = operation(document(form, CLOSED), "post")["requestBody"]["content"]
    assert content.keys() == {
        "application/json", "application/x-www-form-urlencoded", "text/plain", "application/xml"
    }  # fmt: skip
    bodies = {kind: each["example"] for kind, each in content.items()}
    bodies["application/json"] = json.dumps(bodies["application/json"])
    bodies["application/x-www-form-urlencoded"] = urlencoded(bodies["application/x-www-form-urlencoded"])
    read = [read_body(kind, body.encode()) for kind, body in bodies.items()]
    read.append(read_query(as_query(form).encode()))
    first, *others = (each if isinstance(each, Wrong) else check(each, form) for each in read)
    assert isinstance(first, Transaction), first
    assert first.values.keys() == {field.name for field in form.fields}
    assert all(other == first for other in others)


TYPED = FORMS[1]
MUST: dict[str, Any] = {"transactionId": "1", "email": "a@example.com"}


@pytest.mark.parametrize(
    "sent",
    [
        {},
        MUST,
        {"transactionId": 1, "emailAddress": "a@example.com"},
        MUST | {"emailAddress": "a@example.com"},
        MUST | {"firstName": "Jane", "firstname": "Jane"},
        MUST | {"transactionId": ""},
        MUST | {"transactionId": None},
        MUST | {"transactionId": "x" * 65},
        MUST | {"firstName": None, "amount": None, "consented": None},
        MUST | {"amount": 1.5},
        MUST | {"amount": "1.5"},
        MUST | {"amount": "1,5"},
        MUST | {"amount": True},
        MUST | {"quantity": 1.0},
        MUST | {"quantity": "42"},
        MUST | {"quantity": "042"},
        MUST | {"quantity": 1.5},
        MUST | {"quantity": 2**63},
        MUST | {"consented": "true"},
        MUST | {"consented": "yes"},
        MUST | {"consented": 1},
        MUST | {"convertedAt": "2026-11-22T10:00:00+01:00"},
        MUST | {"convertedAt": "2026-11-22"},
        MUST | {"convertedAt": 1},
        MUST | {"country": "USA"},
        MUST | {"basket": "x", "n": 1, "ok": True, "no": None},
        MUST | {"basket": []},
        MUST | {"basket": "\0"},
        MUST | {"": "x"},
    ],
)
def test_what_the_schema_takes_in_json_is_what_is_taken(sent: dict[str, Any]) -> None:
    read = read_body("application/json", json.dumps(sent).encode())
    taken = not isinstance(read, Wrong) and isinstance(check(read, TYPED), Transaction)
    assert schema(document(TYPED, OPEN), "JsonTransaction").is_valid(sent) == taken


def test_a_form_that_refuses_what_is_not_known_says_so(tmp_path: Path) -> None:
    path = tmp_path / "fields.toml"
    path.write_text('unknown = "refuse"\n[[field]]\nname = "id"\nrequired = true\nalso-called = ["ID"]\n')
    told = schema(document(read_form(path, ("id",)), OPEN), "JsonTransaction")
    assert told.is_valid({"id": "1"})
    assert told.is_valid({"ID": "1"})
    assert not told.is_valid({"id": "1", "x": "2"})


def test_an_example_of_every_parameter_is_a_request_that_is_taken() -> None:
    form = FORMS[1]
    parameters = operation(document(form, OPEN), "get")["parameters"]
    shown = {each["name"]: each["schema"]["examples"][0] for each in parameters if "examples" in each["schema"]}
    sent = read_query(urlencoded(shown).encode())
    assert not isinstance(sent, Wrong)
    assert isinstance(check(sent, form), Transaction)


def test_a_text_that_is_empty_is_told_to_be_none() -> None:
    content = operation(document(DEFAULT, OPEN), "post")["requestBody"]["content"]
    assert content["text/plain"]["schema"]["minLength"] == 1
