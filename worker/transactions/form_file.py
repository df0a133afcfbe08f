"""The partner's form from a TOML file (WORKER_TRANSACTIONS__FIELDS_FILE); deploy/transactions.fields.toml shows one."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from worker.errors import SettingsError
from worker.transactions.form import MAX_LENGTH, Form, FormField, default_form, faults
from worker.transactions.kinds import EMAIL_LENGTH, MUST_BE, typed
from worker.transactions.transaction import Kind, Value

SETTING: Final = "WORKER_TRANSACTIONS__FIELDS_FILE"
LONGEST: Final = 10_000


class _File(Struct, forbid_unknown_fields=True):
    field: tuple[dict[str, Any], ...]
    unknown: Literal["keep", "refuse"] = "keep"


class _Field(Struct, forbid_unknown_fields=True, rename="kebab"):
    name: str
    type: Kind = "string"
    required: bool = False
    about: str = ""
    example: Any = None
    max_length: Annotated[int, Meta(ge=1, le=LONGEST)] | None = None
    also_called: tuple[str, ...] = ()


class _Fault(ValueError):
    """What is wrong with one field."""


def read_form(path: Path | None, identity: Sequence[str]) -> Form:
    """The form in a file, the default one without. Raises SettingsError with all that is wrong."""
    if path is None:
        return _checked("WORKER_TRANSACTIONS__IDENTITY", default_form(identity), [])
    where = f"{SETTING}: {path}"
    return _checked(where, *_form(_parsed(path, where), tuple(identity)))


def _checked(where: str, form: Form, problems: list[str]) -> Form:
    if found := problems or faults(form):
        raise SettingsError([f"{where}: {problem}" for problem in found])
    return form


def _parsed(path: Path, where: str) -> _File:
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal), type=_File)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{where}: cannot be read ({type(error).__name__})"]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{where}: is not TOML: {error}"]) from None
    except (msgspec.ValidationError, RecursionError) as error:
        raise SettingsError([f"{where}: {error}"]) from None


def _form(file: _File, identity: tuple[str, ...]) -> tuple[Form, list[str]]:
    fields: list[FormField] = []
    problems: list[str] = []
    for place, table in enumerate(file.field, start=1):
        try:
            fields.append(_field(msgspec.convert(table, type=_Field)))
        except (msgspec.ValidationError, _Fault) as error:
            problems.append(f"[[field]] {place} ({table.get('name', 'without a name')}): {error}")
    return Form(tuple(fields), identity, keeps_unknown=file.unknown == "keep"), problems


def _field(given: _Field) -> FormField:
    if given.max_length is not None and given.type not in ("string", "email"):
        raise _Fault(f"max-length is for text, and the type is {given.type}")
    longest = given.max_length or (EMAIL_LENGTH if given.type == "email" else MAX_LENGTH)
    made = FormField(
        given.name, given.type, given.required, given.about, None, longest, tuple(dict.fromkeys(given.also_called))
    )
    return replace(made, example=_example(made, given.example))


def _example(field: FormField, example: object) -> Value | None:
    if example is None:
        return None
    value = example if isinstance(example, str | int | Decimal) else None
    found = None if value is None or value == "" else typed(field.kind, value)
    if found is None:
        raise _Fault(f"the example must be {MUST_BE[field.kind]}")
    if isinstance(found, str) and len(found) > field.max_length:
        raise _Fault("the example is longer than max-length")
    return found
