"""The form of a transaction: the parameters that Rokt's page names, or those in the partner's file."""

from decimal import Decimal
from pathlib import Path

import pytest

from worker.errors import SettingsError
from worker.transactions.form import Form
from worker.transactions.form_file import read_form

SHOWN = Path(__file__).parents[2] / "deploy" / "transactions.fields.toml"
ID = '[[field]]\nname = "transactionId"\nrequired = true\n'
ONE = ("transactionId",)


def read(tmp_path: Path, text: str, identity: tuple[str, ...] = ONE) -> Form:
    path = tmp_path / "fields.toml"
    path.write_text(text)
    return read_form(path, identity)


def refused(tmp_path: Path, text: str, identity: tuple[str, ...] = ONE) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        read(tmp_path, text, identity)
    assert all("fields.toml: " in problem for problem in raised.value.problems)
    return raised.value.problems


def test_without_a_file_there_are_the_identity_and_what_rokts_page_names() -> None:
    form = read_form(None, ONE)
    assert [(each.name, each.kind, each.required) for each in form.fields] == [
        ("transactionId", "string", True),
        ("email", "email", False),
        ("firstName", "string", False),
        ("lastName", "string", False),
        ("source", "string", False),
        ("country", "string", False),
    ]
    assert form.identity == ONE
    assert form.keeps_unknown


def test_a_common_parameter_that_identifies_is_required_and_keeps_its_type() -> None:
    first, second, *_ = read_form(None, ("orderId", "email")).fields
    assert (first.name, first.kind, first.required) == ("orderId", "string", True)
    assert (second.name, second.kind, second.required) == ("email", "email", True)


def test_the_file_that_is_shown_is_read() -> None:
    form = read_form(SHOWN, ONE)
    assert {each.kind for each in form.fields} == {"string", "email", "number", "integer", "boolean", "date-time"}
    assert form.known["emailAddress"] is form.known["email"]
    assert form.known["country"].max_length == 2
    assert form.known["amount"].sample == Decimal("19.99")


def test_other_parameters_are_kept_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    assert read(tmp_path, ID).keeps_unknown
    assert not read(tmp_path, f'unknown = "refuse"\n{ID}').keeps_unknown


def test_a_field_that_says_nothing_of_itself_is_an_optional_string(tmp_path: Path) -> None:
    field = read(tmp_path, f'{ID}[[field]]\nname = "shop"\n').known["shop"]
    assert (field.kind, field.required, field.max_length, field.sample) == ("string", False, 1024, "text")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("unknown = [", "is not TOML"),
        ("", "missing required field `field`"),
        ('field = "x"', "Expected `array`"),
        (f'unknown = "maybe"\n{ID}', "Invalid enum value 'maybe'"),
        (f"colour = 1\n{ID}", "unknown field `colour`"),
        (f'{ID}colour = "red"\n', "[[field]] 1 (transactionId): Object contains unknown field `colour`"),
        (f'{ID}type = "money"\n', "[[field]] 1 (transactionId): Invalid enum value 'money'"),
        ('[[field]]\ntype = "string"\n', "[[field]] 1 (without a name): Object missing required field `name`"),
        (f"{ID}{ID}", "the name 'transactionId' is there twice"),
        (f'{ID}[[field]]\nname = "a"\nalso-called = ["transactionId"]\n', "the name 'transactionId' is there twice"),
        (f'{ID}[[field]]\nname = "first name"\n', "'first name' is no name that every encoding can carry"),
        (f'{ID}[[field]]\nname = "a"\nalso-called = ["1"]\n', "'1' is no name that every encoding can carry"),
        ('[[field]]\nname = "transactionId"\n', "and is not required"),
        ('[[field]]\nname = "email"\n', "'transactionId' identifies a transaction"),
        (f'{ID}[[field]]\nname = "n"\ntype = "integer"\nexample = "x"\n', "the example must be a whole number"),
        (f'{ID}[[field]]\nname = "n"\nexample = 2026-11-22\n', "the example must be text"),
        (f'{ID}max-length = 3\nexample = "four"\n', "the example is longer than max-length"),
        (f"{ID}max-length = 0\n", "Expected `int` >= 1"),
        (f'{ID}[[field]]\nname = "n"\ntype = "integer"\nmax-length = 3\n', "max-length is for text"),
    ],
)
def test_a_file_that_is_wrong_is_told_by_its_name_and_what_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    (problem,) = refused(tmp_path, text)
    assert told in problem


def test_every_field_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = f'{ID}[[field]]\nname = "a"\ntype = "x"\n[[field]]\nname = "b"\ncolour = 1\n'
    assert len(refused(tmp_path, text)) == 2


def test_what_identifies_is_told_when_it_is_there_twice(tmp_path: Path) -> None:
    assert "twice" in refused(tmp_path, ID, ("transactionId", "transactionId"))[0]
    with pytest.raises(SettingsError, match="WORKER_TRANSACTIONS__IDENTITY"):
        read_form(None, ("a b",))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone.toml: cannot be read \(FileNotFoundError\)"):
        read_form(tmp_path / "gone.toml", ONE)
    (tmp_path / "latin.toml").write_bytes(b'unknown = "\xe4"')
    with pytest.raises(SettingsError, match="UnicodeDecodeError"):
        read_form(tmp_path / "latin.toml", ONE)
