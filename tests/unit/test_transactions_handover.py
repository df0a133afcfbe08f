"""What the partner sends to Rokt: the eight answers of its page, in its order, without secrets."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.canaries import SECRETS, found
from worker.settings import TransactionsSettings
from worker.transactions.form import Form, FormField, default_form
from worker.transactions.form_file import read_form
from worker.transactions.handover import handover

DEFAULT = default_form(("transactionId",))
SHOWN = read_form(Path(__file__).parents[2] / "deploy" / "transactions.fields.toml", ("transactionId",))
API_KEY, PASSWORD, CLIENT_SECRET = (SecretStr(secret) for secret in list(SECRETS.values())[:3])
WHOLE = TransactionsSettings(
    api_key=API_KEY,
    username="rokt",
    password=PASSWORD,
    client_id="rokt-client",
    client_secret=CLIENT_SECRET,
    public_url="https://shop.example",
    test_url="https://test.shop.example",
    contact="Ada Muster, ada@shop.example",
)


def answers(form: Form = DEFAULT, settings: TransactionsSettings = WHOLE) -> list[str]:
    """Each without its heading."""
    return [part.split("\n\n", 1)[1] for part in handover(form, settings).split("\n## ")[1:]]


def test_the_eight_answers_stand_in_the_order_of_rokts_page() -> None:
    headings = [line for line in handover(DEFAULT, WHOLE).splitlines() if line.startswith("## ")]
    assert headings == [
        "## 1. Full API documentation",
        "## 2. Tech contact",
        "## 3. Endpoint",
        "## 4. Method",
        "## 5. Authentication",
        "## 6. Request body encoding",
        "## 7. API parameters",
        "## 8. Expected API responses",
    ]


def test_documentation_contact_and_endpoints_are_told() -> None:
    documentation, contact, endpoint, method, *_ = answers()
    assert "https://shop.example/docs\n" in documentation
    assert "https://shop.example/openapi.json" in documentation
    assert contact == "Ada Muster, ada@shop.example\n"
    assert endpoint == (
        "- production: https://shop.example/v1/transactions\n- test: https://test.shop.example/v1/transactions\n"
    )
    assert method.startswith("POST")


def test_the_ways_in_are_told_without_their_secrets() -> None:
    told = answers()[4]
    for word in ("`x-api-key`", "user name rokt,", "client id rokt-client,", "https://shop.example/oauth/token"):
        assert word in told
    assert told.count("given separately") == 3
    assert found(handover(DEFAULT, WHOLE), SECRETS) == set()


def test_an_endpoint_that_is_open_is_told_to_be() -> None:
    assert answers(settings=TransactionsSettings(open=True))[4].startswith("None")


@pytest.mark.parametrize(
    ("place", "name"),
    [(0, "PUBLIC_URL"), (1, "CONTACT"), (2, "PUBLIC_URL"), (2, "TEST_URL"), (4, "API_KEY"), (4, "CLIENT_ID")],
)
def test_what_is_not_set_is_named(place: int, name: str) -> None:
    told = answers(settings=TransactionsSettings())[place]
    assert "not set: " in told
    assert f"WORKER_TRANSACTIONS__{name}" in told


def test_every_encoding_is_shown_with_an_example() -> None:
    told = answers()[5]
    for example in ('"country": "US"', "&country=US", "\n    country=US\n", "<country>US</country>"):
        assert example in told


def test_every_parameter_is_told_the_required_ones_first() -> None:
    rows = answers(SHOWN)[6].splitlines()
    assert rows[2].startswith("| `transactionId` | required | string | 2f9c81e4 |")
    assert rows[3].startswith("| `email` or `emailAddress` | required | email | jane.doe@example.com |")
    assert [row.split(" | ")[1] for row in rows[4:12]] == ["optional"] * 8
    assert "identified by `transactionId`. Other parameters are kept too." in rows[-1]


def test_delivered_rejected_and_duplicate_are_told_apart() -> None:
    told = answers()[7]
    assert '| 201 | `{"status":"created"}` |' in told
    assert '| 200 | `{"status":"duplicate"}` |' in told
    for status in (400, 401, 413, 415, 429, 503):
        assert f"| {status} | " in told


def test_the_partners_words_mean_nothing_in_markdown() -> None:
    form = Form((FormField("id", required=True, about="a | b\n\n# c <script>", example="x|y"),), ("id",))
    row = answers(form)[6].splitlines()[2]
    assert row == r"| `id` | required | string | x\|y | a \| b \# c \<script\> |"
