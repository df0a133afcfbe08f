"""The encodings that Rokt sends: what each of them says, and what of it is not taken."""

from decimal import Decimal

import pytest

from worker.transactions.bodies import read_body, read_query
from worker.transactions.pairs import MAX_PARAMETERS
from worker.transactions.transaction import Parameters, Wrong

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
TEXT = "text/plain"
XML = "application/xml"
DECLARED = '<?xml version="1.0" encoding="UTF-8"?>'


def read(content_type: str, body: bytes) -> Parameters:
    found = read_body(content_type, body)
    assert not isinstance(found, Wrong), found
    return found


def code(content_type: str | None, body: bytes) -> str:
    found = read_body(content_type, body)
    assert isinstance(found, Wrong), found
    assert found.status == (415 if found.problems[0].code == "media-type" else 400)
    return found.problems[0].code


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, '{"transactionId": "t-1", "name": "Zoë & =Co"}'),
        (FORM, "transactionId=t-1&name=Zo%C3%AB+%26%20%3DCo"),
        (TEXT, "transactionId=t-1\nname=Zoë & =Co\n"),
        (TEXT, "\r\ntransactionId=t-1\r\n \r\nname=Zoë & =Co"),
        (XML, "<t><transactionId>t-1</transactionId>\n<name>Zoë &amp; =Co</name></t>"),
        (XML, f"{DECLARED}<t><!-- a --><transactionId>t-1</transactionId><name><![CDATA[Zoë & =Co]]></name></t>"),
    ],
)
def test_every_encoding_says_the_same(content_type: str, body: str) -> None:
    assert read(content_type, body.encode()) == {"transactionId": "t-1", "name": "Zoë & =Co"}


def test_a_query_says_the_same_as_a_form() -> None:
    assert read_query(b"transactionId=t-1&name=Zo%c3%ab+%2b") == {"transactionId": "t-1", "name": "Zoë +"}


def test_json_keeps_its_types_and_its_numbers_are_exact() -> None:
    body = b'{"i": 12345678901234567890, "d": 0.10, "e": 1.5e3, "t": true, "n": null}'
    assert read(JSON, body) == {
        "i": 12345678901234567890, "d": Decimal("0.10"), "e": Decimal(1500), "t": True, "n": None
    }  # fmt: skip


def test_a_byte_order_mark_is_passed_over() -> None:
    mark = b"\xef\xbb\xbf"
    assert read(JSON, mark + b'{"a": "b"}') == {"a": "b"}
    assert read(TEXT, mark + b"a=b") == {"a": "b"}
    assert read(XML, mark + b"<t><a>b</a></t>") == {"a": "b"}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf-8",
        'Application/JSON ;charset="UTF-8"',
        "application/json;charset=us-ascii; profile=x",
    ],
)
def test_the_media_type_is_read_with_its_charset(content_type: str) -> None:
    assert read(content_type, b'{"a": "b"}') == {"a": "b"}


@pytest.mark.parametrize("content_type", ["text/xml", "application/vnd.rokt+xml", "application/soap+xml; charset=utf8"])
def test_xml_has_several_media_types(content_type: str) -> None:
    assert read(content_type, b"<t><a>b</a></t>") == {"a": "b"}


@pytest.mark.parametrize(
    "content_type",
    ["", " ", "json", "application/jsonp", "multipart/form-data; boundary=x", "text/html", "+xml", "/a+xml", "*/*"],
)
def test_another_media_type_is_a_415_that_says_what_is_read(content_type: str) -> None:
    found = read_body(content_type, b'{"a": "b"}')
    assert isinstance(found, Wrong)
    assert found.status == 415
    assert "application/json" in found.problems[0].message


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json; charset=iso-8859-1", b'{"a": "b"}'),
        ("text/plain; charset=utf-16", b"a=b"),
        ("text/plain; charset=", b"a=b"),
        ("text/plain; charset=utf-8; charset=latin1", b"a=b"),
        (XML, b'<?xml version="1.0" encoding="ISO-8859-1"?><t><a>b</a></t>'),
    ],
)
def test_another_charset_is_a_415(content_type: str, body: bytes) -> None:
    found = read_body(content_type, body)
    assert isinstance(found, Wrong)
    assert (found.status, found.problems[0].code) == (415, "encoding")


@pytest.mark.parametrize("content_type", [None, "", JSON, FORM, TEXT, XML])
def test_an_empty_body_is_told_as_one(content_type: str | None) -> None:
    assert code(content_type, b"") == "empty"


def test_a_query_that_is_empty_is_told_as_one() -> None:
    found = read_query(b"")
    assert isinstance(found, Wrong)
    assert found.problems[0].code == "empty"


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        (JSON, b" ", "syntax"),
        (JSON, b'{"a": "b"', "syntax"),
        (JSON, b'{"a": "b"} x', "syntax"),
        (JSON, b"{'a': 'b'}", "syntax"),
        (JSON, b'{"a": 01}', "syntax"),
        (JSON, b'{"a": NaN}', "syntax"),
        (JSON, b'{"a": -Infinity}', "syntax"),
        (JSON, b'{"a": "\n"}', "syntax"),
        (JSON, b'{"": "b"}', "syntax"),
        (JSON, b"[]", "type"),
        (JSON, b'"a"', "type"),
        (JSON, b"null", "type"),
        (JSON, b'{"a": {"b": 1}}', "nested"),
        (JSON, b'{"a": []}', "nested"),
        (JSON, b'{"a": 1, "a": 1}', "repeated"),
        (JSON, b'{"a": 1, "\\u0061": 1}', "repeated"),
        (JSON, b'{"a": 1e401}', "too-long"),
        (JSON, b'{"a": ' + b"1" * 35 + b"}", "too-long"),
        (JSON, b'{"a": 1e999999}', "too-long"),
        (JSON, b'{"a": "\\u0000"}', "format"),
        (JSON, b'{"a": "\\ud800"}', "encoding"),
        (JSON, b'{"\\udfff": "a"}', "encoding"),
        (JSON, '{"a": "ä"}'.encode("latin-1"), "encoding"),
        (JSON, '{"a": "b"}'.encode("utf-16"), "encoding"),
        (FORM, b"a", "syntax"),
        (FORM, b"=b", "syntax"),
        (FORM, b"a=%", "syntax"),
        (FORM, b"a=%4", "syntax"),
        (FORM, b"a=%zz", "syntax"),
        (FORM, b"a=b c", "syntax"),
        (FORM, "a=ä".encode(), "syntax"),
        (FORM, b"a=\x00", "syntax"),
        (FORM, b"a=%00", "format"),
        (FORM, b"a=%ff", "encoding"),
        (FORM, b"a=%ED%A0%80", "encoding"),
        (FORM, b"a=b&a=b", "repeated"),
        (TEXT, b"a", "syntax"),
        (TEXT, b"a: b", "syntax"),
        (TEXT, b"=b", "syntax"),
        (TEXT, b"a=b\na=c", "repeated"),
        (TEXT, b"a=\x00", "format"),
        (TEXT, b"a=\xff", "encoding"),
        (TEXT, b"\n \n", "empty"),
        (XML, b" ", "syntax"),
        (XML, b"a=b", "syntax"),
        (XML, b"<t><a>b</t>", "syntax"),
        (XML, b"<t>b</t>", "syntax"),
        (XML, b"<t><a>b</a>c</t>", "syntax"),
        (XML, b"<t/><t/>", "syntax"),
        (XML, b'<t x="1"><a>b</a></t>', "syntax"),
        (XML, b'<t><a x="1">b</a></t>', "syntax"),
        (XML, b'<t xmlns="urn:x"><a>b</a></t>', "syntax"),
        (XML, b"<x:t><a>b</a></x:t>", "syntax"),
        (XML, b"<?xml-stylesheet href='x'?><t><a>b</a></t>", "syntax"),
        (XML, b"<!DOCTYPE t><t><a>b</a></t>", "syntax"),
        (XML, b"<t><a>&unknown;</a></t>", "syntax"),
        (XML, b"<t><a>&#0;</a></t>", "syntax"),
        (XML, b"<t><a>&#xD800;</a></t>", "syntax"),
        (XML, b"<t><a>\x00</a></t>", "syntax"),
        (XML, b"<t><a>\xff</a></t>", "encoding"),
        (XML, "<t><a>b</a></t>".encode("utf-16"), "encoding"),
        (XML, b"<t><a><b>c</b></a></t>", "nested"),
        (XML, b"<t><a>b</a><a>b</a></t>", "repeated"),
    ],
)  # fmt: skip
def test_what_is_not_taken_has_a_code(content_type: str, body: bytes, expected: str) -> None:
    assert code(content_type, body) == expected


def test_an_object_and_a_root_without_parameters_are_read_and_say_nothing() -> None:
    assert read(JSON, b"{}") == {}
    assert read(XML, b"<t/>") == {}


def test_every_parameter_that_is_wrong_is_told_by_its_place() -> None:
    found = read_body(JSON, b'{"a": [], "b": 1, "b": 2, "c": {}}')
    assert isinstance(found, Wrong)
    assert [each.message.split(" ")[1] for each in found.problems] == ["1", "3", "4"]


@pytest.mark.parametrize("more", [0, 1])
def test_parameters_are_bounded_in_every_encoding(more: int) -> None:
    names = [f"p{n}" for n in range(MAX_PARAMETERS + more)]
    bodies = {
        JSON: "{" + ",".join(f'"{name}": 1' for name in names) + "}",
        FORM: "&".join(f"{name}=1" for name in names),
        TEXT: "\n".join(f"{name}=1" for name in names),
        XML: "<t>" + "".join(f"<{name}>1</{name}>" for name in names) + "</t>",
    }
    for content_type, body in bodies.items():
        if more:
            assert code(content_type, body.encode()) == "too-many"
        else:
            assert len(read(content_type, body.encode())) == MAX_PARAMETERS


def test_problems_are_bounded() -> None:
    found = read_body(JSON, b'{"a": 1' + b', "a": 1' * 50 + b"}")
    assert isinstance(found, Wrong)
    assert len(found.problems) == 20
