"""Parameters against the form: a transaction, or everything that is wrong with it at once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

import msgspec

from worker.transactions.form import Form, FormField
from worker.transactions.kinds import CODES, MUST_BE, text, typed
from worker.transactions.transaction import MAX_PROBLEMS, Parameters, Problem, Transaction, Value, Wrong


def check(parameters: Parameters, form: Form) -> Transaction | Wrong:
    """The transaction. A null, and an empty text for a field, are as if they were not sent."""
    problems: list[Problem] = []
    given = _given(parameters, form, problems)
    values = _values(given, form, problems)
    if problems:
        return Wrong(tuple(problems[:MAX_PROBLEMS]))
    attributes = {
        name: text(value) for name, value in parameters.items() if name not in form.known and value is not None
    }
    return Transaction(identity(values, form), values, attributes)


def identity(values: Mapping[str, Value], form: Form) -> str:
    """One parameter: its text. Several: a JSON array of their texts, in the order of the setting."""
    texts = [text(values[name]) for name in form.identity]
    return texts[0] if len(texts) == 1 else msgspec.json.encode(texts).decode()


def _given(parameters: Parameters, form: Form, problems: list[Problem]) -> dict[str, Value]:
    """What was sent for the fields, by their own names."""
    given: dict[str, Value] = {}
    for place, (name, value) in enumerate(parameters.items(), start=1):
        field = form.known.get(name)
        if value is None:
            continue
        if field is None:
            if not form.keeps_unknown and len(problems) < MAX_PROBLEMS:
                problems.append(_unknown(place, name, form))
        elif given.get(field.name, "") == "":
            given[field.name] = value
        elif value != "":
            problems.append(Problem(field.name, "repeated", f"{field.name} was sent under two of its names"))
    return given


def _unknown(place: int, name: str, form: Form) -> Problem:
    """Tells the parameter by its place, and the name that may have been meant."""
    near = get_close_matches(name[:128], list(form.known), n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return Problem("", "unknown", f"parameter {place} has a name that is not known{meant}")


def _values(given: Mapping[str, Value], form: Form, problems: list[Problem]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for field in form.fields:
        value = given.get(field.name, "")
        if value == "":
            problems += _absent(field, sent=field.name in given)
            continue
        found = typed(field.kind, value)
        if found is None:
            problems.append(Problem(field.name, CODES[field.kind], f"{field.name} must be {MUST_BE[field.kind]}"))
        elif isinstance(found, str) and len(found) > field.max_length:
            message = f"{field.name} must be at most {field.max_length} characters long"
            problems.append(Problem(field.name, "too-long", message))
        else:
            values[field.name] = found
    return values


def _absent(field: FormField, *, sent: bool) -> list[Problem]:
    if not field.required:
        return []
    if sent:
        return [Problem(field.name, "empty", f"{field.name} is required, and is empty")]
    return [Problem(field.name, "missing", f"{field.name} is required, and was not sent")]
