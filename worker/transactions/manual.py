"""The documentation for people: one page made of the OpenAPI document. Plain HTML: no script, no other server's. Pure.

Whatever stands in the document is escaped: the partner's words in the form and the contact are text, never markup.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

from worker.transactions.media import FORM
from worker.transactions.parameter_schemas import OTHER_NAME
from worker.transactions.samples import urlencoded

Json = Mapping[str, Any]

STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;margin:1.5rem auto;max-width:60rem;padding:0 1rem;color:#1c2733;background:#fff}
h1{font-size:1.4rem;margin:0 0 .5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}h3{font-size:.95rem;margin:1rem 0 .3rem}
code,pre{font:13px/1.45 ui-monospace,monospace}
pre{background:#f4f6f8;padding:.6rem .8rem;border-radius:.4rem;margin:.2rem 0}
pre{white-space:pre-wrap;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}th{text-align:left;font-weight:600;color:#5b6b7b}
th,td{padding:.35rem .8rem .35rem 0;border-bottom:1px solid #e8edf1;vertical-align:top}
td:first-child{white-space:nowrap}
.verb{display:inline-block;min-width:3rem;font-weight:700;color:#0b5cad}
@media(prefers-color-scheme:dark){body{color:#dde4ea;background:#12181e}pre{background:#1b232b}
th,td{border-color:#33404c}th{color:#93a3b3}.verb{color:#8ab4f8}}
"""


def page(document: Json) -> str:
    """The whole page."""
    info = document["info"]
    title = escape(info["title"])
    contact = info.get("contact", {}).get("name")
    parts = [
        f"<h1>{title}</h1><p>{escape(info['description'])}</p>",
        f"<p>Contact: {escape(contact)}</p>" if contact else "",
        '<p>For programs: <a href="/openapi.json">/openapi.json</a></p>',
        _servers(document),
        _ways(document),
        _parameters(document),
        *(_path(document, path, operations) for path, operations in document["paths"].items()),
    ]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{STYLE}</style>"
    )
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>'


def _servers(document: Json) -> str:
    rows = [[escape(each.get("description", "this server")), _code(each["url"])] for each in document["servers"]]
    return f"<h2>Where</h2>{_table(('', 'URL'), rows)}"


def _ways(document: Json) -> str:
    rows = [[_code(name), _way(scheme)] for name, scheme in document["components"]["securitySchemes"].items()]
    told = _table(("one of", "how"), rows) if rows else "<p>None: it is open to whoever reaches it.</p>"
    return f"<h2>Authentication</h2>{told}"


def _way(scheme: Json) -> str:
    match scheme["type"]:
        case "apiKey":
            return f"an API key in the header {_code(scheme['name'])}"
        case "http":
            return "user name and password (Basic, RFC 7617)"
        case _:
            url = scheme["flows"]["clientCredentials"]["tokenUrl"]
            return f"a token for client id and secret, from {_code(url)} (OAuth 2.0 client credentials, RFC 6749)"


def _parameters(document: Json) -> str:
    schemas = document["components"]["schemas"]
    form = schemas["Transaction"]
    several = [rule["anyOf"][0]["required"] for rule in form.get("allOf", ()) if "anyOf" in rule]
    required = {*form["required"], *(name for names in several for name in names)}
    rows = [
        [
            _code(name),
            escape(_kind(schema)),
            "required" if name in required else "",
            escape(schema["description"]),
            _code(_value(schema["examples"][0])),
        ]
        for name, schema in form["properties"].items()
        if OTHER_NAME not in schema
    ]
    others = "Others are kept as attributes." if form["additionalProperties"] else "Others are refused."
    json_too = "In JSON a number or a boolean may also be text, and what is optional null."
    table = _table(("name", "type", "", "", "example"), rows)
    return f"<h2>Parameters</h2>{table}<p>{others} {json_too}</p>"


def _kind(schema: Json) -> str:
    longest = f", at most {schema['maxLength']} characters" if "maxLength" in schema else ""
    return f"{schema.get('format', schema['type'])}{longest}"


def _path(document: Json, path: str, operations: Json) -> str:
    """Methods that take the same body and have the same answers are told as one."""
    told: dict[str, list[str]] = {}
    for method, operation in operations.items():
        inside = _bodies(operation) or _query(document, path)
        told.setdefault(inside + _answers(operation), []).append(
            f'<h2><span class="verb">{method.upper()}</span> {_code(path)}</h2><p>{escape(operation["summary"])}.</p>'
        )
    return "".join("".join(heads) + inside for inside, heads in told.items())


def _query(document: Json, path: str) -> str:
    content = document["paths"][path]["post"]["requestBody"]["content"]
    return f"<h3>For example</h3><pre>{escape(f'{path}?{_example(FORM, content[FORM])}')}</pre>"


def _bodies(operation: Json) -> str:
    content: Json = operation.get("requestBody", {}).get("content", {})
    about = operation.get("description")
    found = [f"<p>{escape(about)}</p>"] if about else []
    for media_type, each in content.items():
        description = each["schema"].get("description")
        found.append(f"<h3>{escape(media_type)}</h3>")
        found.append(f"<p>{escape(description)}</p>" if description else "")
        found.append(f"<pre>{escape(_example(media_type, each))}</pre>")
    return "".join(found)


def _answers(operation: Json) -> str:
    rows = [
        [f"<b>{escape(status)}</b>", f"{escape(each['description'])}{''.join(_samples(each))}"]
        for status, each in operation["responses"].items()
    ]
    return f"<h3>Answers</h3>{_table(('status', ''), rows)}"


def _samples(answer: Json) -> Iterable[str]:
    for each in answer["content"].values():
        yield f"<pre>{escape(json.dumps(each['example'], ensure_ascii=False))}</pre>"


def _example(media_type: str, content: Json) -> str:
    example = content["example"]
    if media_type == FORM:
        return urlencoded(example)
    return example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)


def _value(example: object) -> str:
    return example if isinstance(example, str) else json.dumps(example)


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML."""
    head = "".join(f"<th>{name}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
