"""What parameters there are: the partner's own, or those that Rokt's page names. Values; `form_file` reads a file.

Rokt, "Transaction Export API", 6: "Common attributes include: Email, First Name, Last Name, Source, Country".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from worker.transactions.transaction import Kind, Value

MAX_LENGTH: Final = 1_024
"""Characters of a text for which the form says nothing else."""
NAME: Final = r"[A-Za-z_][A-Za-z0-9_.-]{0,127}"
"""Names that every encoding can carry, also as an XML element."""
SAMPLES: Final[dict[Kind, Value]] = {
    "string": "text",
    "integer": 1,
    "number": 1,
    "boolean": True,
    "email": "jane.doe@example.com",
    "date-time": "2026-11-22T10:00:00Z",
}

_NAME = re.compile(NAME)


@dataclass(frozen=True, slots=True)
class FormField:
    """One parameter. `also_called`: other names under which Rokt may send it. `max_length` counts characters."""

    name: str
    kind: Kind = "string"
    required: bool = False
    about: str = ""
    example: Value | None = None
    max_length: int = MAX_LENGTH
    also_called: tuple[str, ...] = ()

    @property
    def sample(self) -> Value:
        """A value to show: the form's example, or one of the type."""
        return SAMPLES[self.kind] if self.example is None else self.example


@dataclass(frozen=True, slots=True)
class Form:
    """All parameters, in the order they are shown; those that identify a transaction, in the order they do; whether
    others are kept as attributes or refused. `known`: the fields by each of their names.
    """

    fields: tuple[FormField, ...]
    identity: tuple[str, ...]
    keeps_unknown: bool = True
    known: Mapping[str, FormField] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known = {name: each for each in self.fields for name in (each.name, *each.also_called)}
        object.__setattr__(self, "known", known)


COMMON: Final = (
    FormField("email", "email", about="The customer's email address.", example="jane.doe@example.com"),
    FormField("firstName", about="The customer's first name.", example="Jane"),
    FormField("lastName", about="The customer's last name.", example="Doe"),
    FormField("source", about="Where the customer came from.", example="rokt"),
    FormField("country", about="The customer's country.", example="US"),
)


def default_form(identity: Sequence[str]) -> Form:
    """The identifying parameters, required, and the common ones, optional."""
    common = {each.name: each for each in COMMON}
    identifying = [
        replace(
            common.pop(name, FormField(name, about="Identifies the transaction.", example="2f9c81e4")), required=True
        )
        for name in dict.fromkeys(identity)
    ]
    return Form((*identifying, *common.values()), tuple(identity))


def faults(form: Form) -> list[str]:
    """What a form may not be, a sentence each."""
    names = [name for each in form.fields for name in (each.name, *each.also_called)]
    found = [
        f"{name!r} is no name that every encoding can carry: allowed are letters, digits, '_', '.' and '-'"
        for name in names
        if not _NAME.fullmatch(name)
    ]
    found += [f"the name {name!r} is there twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    fields = {each.name: each for each in form.fields}
    for name in form.identity:
        if name not in fields:
            found.append(f"{name!r} identifies a transaction (WORKER_TRANSACTIONS__IDENTITY), and is no field")
        elif not fields[name].required:
            found.append(f"{name!r} identifies a transaction (WORKER_TRANSACTIONS__IDENTITY), and is not required")
    if len(set(form.identity)) < len(form.identity):
        found.append("WORKER_TRANSACTIONS__IDENTITY: a name is there twice")
    return found
