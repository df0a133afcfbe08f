"""What the partner sends to Rokt: the eight answers that its page asks for, in its order, as Markdown. No secrets.

Rokt, "Transaction Export API", "Requirements At a Glance": "please send these responses to your account manager".
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from worker.settings import TransactionsSettings, setting_name
from worker.transactions import responses, samples
from worker.transactions.form import Form, FormField
from worker.transactions.kinds import text
from worker.transactions.media import FORM, JSON, TEXT, XML
from worker.transactions.openapi import LINES
from worker.transactions.ways import API_KEY_HEADER, TOKEN_PATH, Way, ways

SEPARATELY: Final = "given separately"
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~])")
_LINE_END: Final = re.compile(r"\s+")


def handover(form: Form, settings: TransactionsSettings) -> str:
    """The letter."""
    answers = [
        ("Full API documentation", _documentation(settings)),
        ("Tech contact", _set("contact", settings.contact)),
        ("Endpoint", _endpoint(settings)),
        ("Method", "POST. PUT does the same, and so does GET with the parameters in the query."),
        ("Authentication", _authentication(settings)),
        ("Request body encoding", _encodings(form)),
        ("API parameters", _parameters(form)),
        ("Expected API responses", _responses(form, settings)),
    ]
    parts = [f"## {place}. {title}\n\n{answer}\n" for place, (title, answer) in enumerate(answers, start=1)]
    return "\n".join(["# Transaction Export: our answers\n", *parts])


def _set(name: str, value: str | None) -> str:
    return _plain(value) if value else f"not set: {setting_name('transactions', name)}"


def _documentation(settings: TransactionsSettings) -> str:
    base = settings.public_url
    if not base:
        return _set("public_url", None)
    return f"- to read: {base}/docs\n- for programs (OpenAPI 3.1): {base}/openapi.json"


def _endpoint(settings: TransactionsSettings) -> str:
    urls = {"production": ("public_url", settings.public_url), "test": ("test_url", settings.test_url)}
    return "\n".join(
        f"- {name}: {url + settings.path if url else _set(setting, None)}" for name, (setting, url) in urls.items()
    )


def _authentication(settings: TransactionsSettings) -> str:
    open_ways = ways(settings)
    if open_ways:
        return "\n".join(["One of:", "", *(f"- {_way(way, settings)}" for way in open_ways)])
    if settings.open:
        return "None: the endpoint is open to whoever reaches it."
    names = (setting_name("transactions", name) for name in ("api_key", "username", "client_id"))
    return f"not set: {', '.join(names)}"


def _way(way: Way, settings: TransactionsSettings) -> str:
    match way:
        case "apiKey":
            return f"API key in the header `{API_KEY_HEADER}`: {SEPARATELY}"
        case "basic":
            return f"user name and password (Basic): user name {_plain(settings.username or '')}, password {SEPARATELY}"
        case "oauth2":
            token = f"`POST {settings.public_url or ''}{TOKEN_PATH}`"
            client = f"client id {_plain(settings.client_id or '')}, secret {SEPARATELY}"
            return f"client id and secret (OAuth 2.0 client credentials), a token from {token}: {client}"


def _encodings(form: Form) -> str:
    json = msgspec.json.format(msgspec.json.encode(samples.as_object(form)), indent=2).decode()
    shown = [
        (f"JSON (`{JSON}`), which we prefer", json),
        (f"URL encoded (`{FORM}`)", samples.as_query(form)),
        (f"Plain text (`{TEXT}`): {LINES}", samples.as_lines(form)),
        (f"XML (`{XML}` or `text/xml`), a root of any name with an element for each parameter", samples.as_xml(form)),
    ]
    return "\n\n".join(f"{title}\n\n{_indented(example)}" for title, example in shown)


def _parameters(form: Form) -> str:
    head = "| name | needed | type | for example | about |\n|---|---|---|---|---|"
    identity = f"A transaction is identified by {' and '.join(f'`{name}`' for name in form.identity)}."
    others = "Other parameters are kept too." if form.keeps_unknown else "Other parameters are refused."
    fields = sorted(form.fields, key=lambda field: not field.required)
    return "\n".join([head, *map(_row, fields), "", f"{identity} {others}"])


def _row(field: FormField) -> str:
    also = f" or {', '.join(f'`{name}`' for name in field.also_called)}" if field.also_called else ""
    need = "required" if field.required else "optional"
    return f"| `{field.name}`{also} | {need} | {field.kind} | {_plain(text(field.sample))} | {_plain(field.about)} |"


def _responses(form: Form, settings: TransactionsSettings) -> str:
    """By status, which is enough to tell them apart; the bodies say the same."""
    rows = ["| status | body, for example | meaning |", "|---|---|---|"]
    for status, answer in responses.of_transaction(form, body=True, guarded=bool(ways(settings))).items():
        (content,) = answer["content"].values()
        body = msgspec.json.encode(content["example"]).decode()
        rows.append(f"| {status} | `{body}` | {_plain(answer['description'])} |")
    return "\n".join(rows)


def _plain(told: str) -> str:
    """Words of the partner's as text on one line, whatever they mean in Markdown."""
    return _SPECIAL.sub(r"\\\1", _LINE_END.sub(" ", told).strip())


def _indented(example: str) -> str:
    return "\n".join(f"    {line}" for line in example.splitlines())
