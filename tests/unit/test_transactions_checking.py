"""Parameters against the form: what becomes a transaction, what identifies it, what is told of a wrong one."""

from decimal import Decimal
from typing import Any

import pytest

from worker.transactions.checking import check
from worker.transactions.form import Form, FormField, default_form
from worker.transactions.transaction import Kind, Problem, Transaction, Value, Wrong

DEFAULT = default_form(("transactionId",))


def form(*fields: FormField, identity: tuple[str, ...] = ("id",), keeps_unknown: bool = True) -> Form:
    return Form((FormField("id", required=True), *fields), identity, keeps_unknown)


def taken(parameters: dict[str, Any], by: Form = DEFAULT) -> Transaction:
    found = check(parameters, by)
    assert isinstance(found, Transaction), found
    return found


def refused(parameters: dict[str, Any], by: Form = DEFAULT) -> tuple[Problem, ...]:
    found = check(parameters, by)
    assert isinstance(found, Wrong), found
    assert found.status == 400
    return found.problems


def one(kind: Kind, value: object) -> Value | None:
    """What a value becomes as a field of this type; None when it is refused."""
    found = check({"id": "1", "x": value}, form(FormField("x", kind)))  # type: ignore[dict-item]
    return found.values["x"] if isinstance(found, Transaction) else None


def test_a_transaction_has_its_values_and_keeps_the_rest_as_attributes() -> None:
    sent = {"transactionId": "t-1", "email": "a@example.com", "basket": 12, "ok": True, "gone": None}
    assert taken(sent) == Transaction(
        "t-1", {"transactionId": "t-1", "email": "a@example.com"}, {"basket": "12", "ok": "true"}
    )


@pytest.mark.parametrize("value", [42, "42", Decimal("42.0"), "42.0", "4.2e1"])
def test_a_whole_number_is_one_in_every_writing(value: object) -> None:
    assert one("integer", value) == 42


@pytest.mark.parametrize(
    "value", ["042", "+42", " 42", "42 ", "4 2", "0x2a", "4.2", Decimal("4.2"), True, "٤٢", 2**63, "1e40"]
)
def test_what_is_no_whole_number_is_none(value: object) -> None:
    assert one("integer", value) is None


@pytest.mark.parametrize("value", ["0.10", Decimal("0.1"), "1e-1", "0.1000"])
def test_a_number_is_exact_in_every_writing(value: object) -> None:
    assert one("number", value) == Decimal("0.1")


@pytest.mark.parametrize(
    "value",
    [
        "NaN",
        "Infinity",
        ".5",
        "5.",
        "1,5",
        "1_000",
        "0" * 65,
        "1e401",
        "1e-401",
        "0." + "1" * 35,
        False,
        "1e-99999999999",
    ],
)
def test_what_is_no_number_or_has_too_many_digits_is_none(value: object) -> None:
    assert one("number", value) is None


def test_a_number_may_have_34_digits() -> None:
    assert one("number", "9" * 34) == Decimal("9" * 34)
    assert one("number", "0.0" + "1" * 34) == Decimal("0.0" + "1" * 34)
    assert one("number", "9" * 35) is None


@pytest.mark.parametrize("value", ["5e-324", "1.7976931348623157e308", "-2.2250738585072014e-308"])
def test_whatever_a_double_can_be_is_a_number(value: str) -> None:
    assert one("number", value) == one("number", Decimal(value)) == Decimal(value)
    assert one("number", one("string", Decimal(value))) == Decimal(value)


@pytest.mark.parametrize(("value", "expected"), [("true", True), (True, True), ("false", False), (False, False)])
def test_a_boolean_is_true_or_false(value: object, expected: bool) -> None:
    assert one("boolean", value) is expected


@pytest.mark.parametrize("value", ["True", "1", 1, "yes", Decimal(1)])
def test_what_is_no_boolean_is_none(value: object) -> None:
    assert one("boolean", value) is None


@pytest.mark.parametrize("value", ["a@example.com", "o'neil+x@mail.example.co.uk", "zoë@exämple.de"])
def test_an_email_address_is_taken_as_it_is(value: str) -> None:
    assert one("email", value) == value


@pytest.mark.parametrize(
    "value",
    ["a", "a@", "@b.c", "a@b", "a@b.", "a b@c.de", "a@b@c.de", "a@b.c\n", "a\x00@b.c", "a" * 65 + "@b.c",
     "a@" + "b" * 260 + ".c", 1, True],
)  # fmt: skip
def test_what_is_no_email_address_is_none(value: object) -> None:
    assert one("email", value) is None


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00.000Z"),
        ("2026-11-22t10:00:00.12z", "2026-11-22T10:00:00.120Z"),
        ("2026-11-22T10:00:00.123456789+02:00", "2026-11-22T08:00:00.123456789Z"),
        ("2026-11-22T23:30:00-01:00", "2026-11-23T00:30:00.000Z"),
        ("2024-02-29T00:00:00-00:00", "2024-02-29T00:00:00.000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
    ],
)
def test_a_date_and_time_stands_in_utc(written: str, utc: str) -> None:
    assert one("date-time", written) == utc


@pytest.mark.parametrize(
    "value",
    ["2026-11-22", "2026-11-22T10:00:00", "2026-11-22 10:00:00Z", "2026-11-22T10:00Z", "20261122T100000Z",
     "2026-02-29T00:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T10:00:60Z", "2026-11-22T10:00:00+24:00",
     "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2026-11-22T10:00:00.1234567890Z", "1763805600", 1],
)  # fmt: skip
def test_what_is_no_date_and_time_is_none(value: object) -> None:
    assert one("date-time", value) is None


@pytest.mark.parametrize(
    ("value", "written"), [("007", "007"), (7, "7"), (Decimal("1E+2"), "100"), (Decimal("-0.0"), "0"), (True, "true")]
)
def test_a_string_takes_every_plain_value_as_its_text(value: object, written: str) -> None:
    assert one("string", value) == written


def test_text_is_bounded_by_the_forms_length_in_characters() -> None:
    by = form(FormField("x", max_length=3))
    assert taken({"id": "1", "x": "äöü"}, by).values["x"] == "äöü"
    (problem,) = refused({"id": "1", "x": "four"}, by)
    assert (problem.field, problem.code) == ("x", "too-long")


@pytest.mark.parametrize("absent", [{}, {"x": None}, {"x": ""}])
def test_an_optional_field_may_be_missing_null_or_empty(absent: dict[str, Any]) -> None:
    assert "x" not in taken({"id": "1"} | absent, form(FormField("x", "integer"))).values


@pytest.mark.parametrize(("sent", "code"), [({}, "missing"), ({"id": None}, "missing"), ({"id": ""}, "empty")])
def test_a_required_field_may_not(sent: dict[str, Any], code: str) -> None:
    (problem,) = refused(sent, form())
    assert (problem.field, problem.code) == ("id", code)


def test_a_field_may_be_sent_under_one_of_its_other_names() -> None:
    by = form(FormField("firstName", also_called=("firstname", "first-name")))
    assert taken({"id": "1", "first-name": "Jane"}, by) == taken({"id": "1", "firstName": "Jane", "firstname": ""}, by)
    (problem,) = refused({"id": "1", "firstname": "Jane", "firstName": "Jane"}, by)
    assert (problem.field, problem.code) == ("firstName", "repeated")


def test_what_is_not_known_is_refused_where_the_form_says_so() -> None:
    by = form(FormField("firstName"), keeps_unknown=False)
    (problem,) = refused({"id": "1", "firstNmae": "Jane"}, by)
    assert (problem.field, problem.code) == ("", "unknown")
    assert problem.message == "parameter 2 has a name that is not known; did you mean firstName?"


def test_everything_that_is_wrong_is_told_at_once() -> None:
    by = form(FormField("n", "integer"), FormField("at", "date-time"), keeps_unknown=False)
    told = refused({"other": 1, "n": "x", "at": "now"}, by)
    assert [(each.field, each.code) for each in told] == [
        ("", "unknown"), ("id", "missing"), ("n", "type"), ("at", "format")
    ]  # fmt: skip


def test_what_is_told_is_bounded() -> None:
    sent = {f"p{n}": n for n in range(100)}
    assert len(refused(sent, form(keeps_unknown=False))) == 20


def test_one_parameter_identifies_by_its_text_and_several_by_an_array_of_theirs() -> None:
    by = form(FormField("n", "number", required=True), identity=("n", "id"))
    assert taken({"id": "a", "n": 1}, form()).identity == "a"
    assert taken({"id": "a", "n": 1}, by).identity == '["1","a"]'


def test_no_two_transactions_share_an_identity() -> None:
    by = form(FormField("b", required=True), identity=("id", "b"))
    sent = [('a","', "b"), ("a", '","b'), ("a,b", "c"), ("a", "b,c"), ('["a"', "b")]
    assert len({taken({"id": first, "b": second}, by).identity for first, second in sent}) == len(sent)


def test_the_same_transaction_has_the_same_identity_in_any_writing() -> None:
    fields = (FormField("n", "number", required=True), FormField("at", "date-time", required=True))
    by = form(*fields, identity=("id", "n", "at"))
    writings: list[dict[str, Any]] = [
        {"id": "7", "n": 1, "at": "2026-11-22T10:00:00Z"},
        {"at": "2026-11-22T11:00:00.0+01:00", "n": "1.0", "id": "7"},
        {"n": Decimal("1e0"), "id": 7, "at": "2026-11-22t10:00:00z", "more": "x"},
    ]
    (digest,) = {taken(each, by).digest for each in writings}
    assert len(digest) == 32
