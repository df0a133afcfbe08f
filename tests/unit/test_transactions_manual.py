"""The documentation for people: what the page shows, and that nothing of the partner's words can break out of it."""

from html.parser import HTMLParser
from pathlib import Path

from pydantic import SecretStr

from worker.settings import TransactionsSettings
from worker.transactions.form import Form, FormField, default_form
from worker.transactions.form_file import read_form
from worker.transactions.manual import page
from worker.transactions.openapi import document

SHOWN = read_form(Path(__file__).parents[2] / "deploy" / "transactions.fields.toml", ("transactionId",))
KEYED = TransactionsSettings(api_key=SecretStr("k"), client_id="c", client_secret=SecretStr("s"))
EVIL = "</pre><script src=//evil.example></script><img src=x onerror='x'>\"&"


class Text(HTMLParser):
    """The words and tags of a page."""

    def __init__(self, form: Form, settings: TransactionsSettings = KEYED) -> None:
        super().__init__()
        self.words = ""
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[str] = []
        self.links: list[str | None] = []
        self.feed(page(document(form, settings)))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_everything_that_rokt_needs_is_on_it() -> None:
    words = Text(SHOWN).words
    for told in (
        "POST", "PUT", "GET", "/v1/transactions", "/oauth/token", "x-api-key", "application/json", "text/plain",
        "application/x-www-form-urlencoded", "application/xml", "201", "503", '{"status": "duplicate"}', "required",
        "Also called firstname, first-name.", "email=jane.doe%40example.com", "<email>jane.doe@example.com</email>",
        "number", "date-time", "email, at most 254 characters",
    ):  # fmt: skip
        assert told in words, told


def test_other_names_have_no_rows_of_their_own() -> None:
    assert "Another name of" not in Text(SHOWN).words


def test_the_three_ways_in_are_told_when_they_are_open() -> None:
    assert "(Basic, RFC 7617)" not in Text(SHOWN).words
    open_to_all = Text(SHOWN, TransactionsSettings(open=True)).words
    assert "open to whoever reaches it" in open_to_all
    assert "x-api-key" not in open_to_all


def test_it_takes_nothing_from_elsewhere_and_runs_nothing() -> None:
    shown = Text(SHOWN)
    assert shown.links == ["/openapi.json"]
    assert shown.tags.count("style") == 1
    assert not {"script", "link", "img", "iframe", "form"} & set(shown.tags)


def test_every_tag_is_closed() -> None:
    assert Text(SHOWN).open == []


def test_the_partners_words_are_text() -> None:
    form = Form((FormField("id", required=True, about=EVIL, example=EVIL),), ("id",))
    shown = Text(form, TransactionsSettings(contact=EVIL, path=f"/{EVIL}", open=True))
    assert shown.words.count(EVIL) >= 3
    assert not {"script", "img"} & set(shown.tags)
    assert set(shown.attributes) <= {"charset", "name", "content", "lang", "href", "class"}


def test_a_form_that_is_not_the_partners_is_told_too() -> None:
    assert "Where the customer came from." in Text(default_form(("transactionId",))).words
