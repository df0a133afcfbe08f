"""Whatever is sent, in whatever encoding: it is read or told to be wrong, at once, and never quoted."""

import time
from xml.sax.saxutils import escape

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from infra.canaries import EVERYTHING, found
from worker.transactions import answers
from worker.transactions.bodies import read_body, read_query
from worker.transactions.checking import check
from worker.transactions.form import Form, FormField
from worker.transactions.transaction import Parameters, Transaction, Wrong

TYPES = ("application/json", "application/x-www-form-urlencoded", "text/plain", "application/xml")
FORM = Form(
    (
        FormField("id", required=True),
        FormField("email", "email"),
        FormField("n", "integer"),
        FormField("price", "number", required=True),
        FormField("ok", "boolean"),
        FormField("at", "date-time"),
    ),
    ("id", "price"),
    keeps_unknown=False,
)
SECONDS = 1.0
BOMB = b"".join(
    (
        b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY l0 "lol">',
        *(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10)),
        b"]><l><id>&l9;</id></l>",
    )
)
OUTSIDE = b'<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><l><id>&x;</id></l>'
SUBSET = b'<!DOCTYPE l SYSTEM "http://127.0.0.1:9/x.dtd"><l><id>1</id></l>'
PARAMETER_ENTITY = b'<!DOCTYPE l [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><l><id>1</id></l>'
MANY = 100_000
HUGE = 1_000_000


def everything(content_type: str | None, body: bytes) -> Transaction | Wrong:
    read = read_body(content_type, body)
    return read if isinstance(read, Wrong) else check(read, FORM)


def told(wrong: Parameters | Transaction | Wrong) -> str:
    assert isinstance(wrong, Wrong), wrong
    assert wrong.problems
    return f"{wrong} {answers.wrong(wrong).content.decode()}"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/xml", BOMB),
        ("application/xml", OUTSIDE),
        ("application/xml", SUBSET),
        ("application/xml", PARAMETER_ENTITY),
        ("application/xml", b"<a>" * MANY),
        ("application/xml", b"<a" + b" x='1'" * MANY + b"/>"),
        ("application/xml", b"<t>" + b"<a/>" * MANY + b"</t>"),
        ("application/xml", b"<t><a>" + b"&amp;" * MANY),
        ("application/json", b"[" * MANY),
        ("application/json", b'{"a":' * MANY),
        ("application/json", b'{"id":' + b"9" * HUGE + b"}"),
        ("application/json", b'{"id":0.' + b"9" * HUGE + b"}"),
        ("application/json", b'{"id":1e' + b"9" * HUGE + b"}"),
        ("application/json", b'{"id":"1","n":"' + b"9" * HUGE + b'"}'),
        ("application/json", b'{"id":"' + b"\\ud800" * MANY + b'"}'),
        ("application/x-www-form-urlencoded", b"n=" + b"9" * HUGE),
        ("application/x-www-form-urlencoded", b"&" * HUGE),
        ("application/x-www-form-urlencoded", b"a=" + b"%25" * MANY + b"%"),
        ("text/plain", b"\n" * HUGE),
        ("text/plain", b"price=-" + b"9" * HUGE),
        ("text/plain", b"email=" + b"a@" * MANY),
        ("text/plain", b"\x00" * HUGE),
    ],
)  # fmt: skip
def test_a_bomb_is_refused_in_no_time(content_type: str, body: bytes) -> None:
    begun = time.process_time()
    assert isinstance(everything(content_type, body), Wrong)
    assert time.process_time() - begun < SECONDS


@given(st.sampled_from([*TYPES, "text/xml; charset=utf-8", "text/html", None]), st.binary())
@example("application/json", b"\xed\xa0\x80")
@example("application/xml", b"\xff\xfe<\x00t\x00/\x00>\x00")
def test_no_bytes_make_it_raise(content_type: str | None, body: bytes) -> None:
    assert isinstance(everything(content_type, body), Transaction | Wrong)
    assert isinstance(read_query(body), dict | Wrong)


@given(st.one_of(st.none(), st.text()))
def test_no_content_type_makes_it_raise(content_type: str | None) -> None:
    assert isinstance(everything(content_type, b"id=1"), Transaction | Wrong)


NEARLY = st.lists(
    st.sampled_from(
        ["<t>", "</t>", "<a>", "</a>", "<!DOCTYPE t>", "<?p ?>", "&amp;", "&x;", "]]>", "<![CDATA[", "<!--", "-->", "{",
         "}", "[", "]", '"a"', ":", ",", "1", "1e9", "-", "null", "NaN", '"\\ud800"', "\\", "=", "&", "%41", "%", "+",
         "\n", "\r", "id", "\x00", "é", "\ufeff"]
    )
)  # fmt: skip


@given(st.sampled_from(TYPES), NEARLY)
def test_what_is_nearly_right_does_not_make_it_raise_either(content_type: str, parts: list[str]) -> None:
    assert isinstance(everything(content_type, "".join(parts).encode()), Transaction | Wrong)


SCALARS = st.none() | st.booleans() | st.integers() | st.decimals(-(10**9), 10**9, places=4) | st.text()


@given(st.dictionaries(st.sampled_from(["id", "email", "n", "price", "ok", "at", "x"]), SCALARS))
def test_no_parameters_make_it_raise(parameters: Parameters) -> None:
    assert isinstance(check(parameters, FORM), Transaction | Wrong)


NAMES = st.from_regex(r"\A[a-wyz][A-Za-z0-9_.-]{0,10}\Z")
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp"]), max_size=20)
VALUES = {
    "id": TEXTS.filter(bool),
    "email": st.just("a+b&c=d@example.com"),
    "n": st.integers(-(2**63), 2**63 - 1).map(str),
    "price": st.decimals(-(10**20), 10**20, places=4).map(lambda price: f"{price:f}")
    | st.floats(allow_nan=False, allow_infinity=False).map(repr),
    "ok": st.sampled_from(["true", "false"]),
    "at": st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='milliseconds')}Z"),
}
NUMBERS = ("n", "price", "ok")
SENT = st.fixed_dictionaries(
    {name: VALUES[name] for name in ("id", "price")},
    optional={name: VALUES[name] for name in ("email", "n", "ok", "at")},
)


def bodies(sent: dict[str, str]) -> list[tuple[str, bytes]]:
    """The same in each encoding, JSON with its own types and with text; each in another order."""
    back = dict(reversed(sent.items()))
    plain = "{" + ",".join(f'"{n}":{v if n in NUMBERS else msgspec.json.encode(v).decode()}' for n, v in sent.items())
    escaped = {name: "".join(f"%{byte:02x}" for byte in value.encode()) for name, value in back.items()}
    elements = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in back.items())
    return [
        (TYPES[0], f"{plain}}}".encode()),
        (TYPES[0], msgspec.json.encode(back)),
        (TYPES[1], "&".join(f"{name}={value}" for name, value in escaped.items()).encode()),
        (TYPES[2], "\r\n".join(f"{name}={value}" for name, value in sent.items()).encode()),
        (TYPES[3], f"<t>{elements}</t>".encode()),
    ]


@given(SENT)
@example({"id": "\ufeff=&<%]]>", "price": "-0.0000"})
def test_the_same_parameters_are_the_same_transaction_in_every_encoding(sent: dict[str, str]) -> None:
    first, *others = (everything(content_type, body) for content_type, body in bodies(sent))
    assert isinstance(first, Transaction), first
    assert all(other == first for other in others)


@pytest.mark.parametrize("canary", EVERYTHING.values(), ids=EVERYTHING)
def test_nothing_that_was_sent_is_quoted_in_what_is_told_of_it(canary: str) -> None:
    text = msgspec.json.encode(canary).decode()
    for content_type, body in (
        (canary, canary),
        (f"application/json; charset={canary}", canary),
        ("application/json", canary),
        ("application/json", f"{{{text}: [], {text}: 1}}"),
        ("application/json", f'{{"n": {text}, "price": {text}, "ok": {text}, "at": {text}, {text}: {text}}}'),
        ("application/json", f'{{"email": "{canary}@"}}'),
        ("application/x-www-form-urlencoded", canary),
        ("application/x-www-form-urlencoded", f"{canary}=%"),
        ("application/x-www-form-urlencoded", f"a={canary}&a={canary}"),
        ("text/plain", canary),
        ("text/plain", f"{canary}={canary}\n{canary}={canary}"),
        ("application/xml", canary),
        ("application/xml", f"<t><a>{canary}</b></t>"),
        ("application/xml", f"<t>{canary}</t>"),
        ("application/xml", f"<t><a>&{canary};</a></t>"),
        ("application/xml", f"<{canary.replace('@', '').replace('+', '').replace(' ', '')}><a/>"),
    ):
        assert found(told(everything(content_type, body.encode()))) == set(), (content_type, body)
    assert found(told(read_query(f"{canary}&{canary}=1".encode()))) == set()
