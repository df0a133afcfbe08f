"""The form as JSON Schema (draft 2020-12), for the OpenAPI document: what is taken, no more and no less. Pure.

Twice: as text has it (a query, URL-encoded, XML), and as JSON does, where a number or a boolean may also be text, text
a number or a boolean, and what is optional null.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any, Final

from worker.transactions.form import NAME, Form, FormField
from worker.transactions.kinds import EMAIL_LENGTH, MOST
from worker.transactions.pairs import MAX_PARAMETERS
from worker.transactions.transaction import Kind

Schema = dict[str, Any]

NO_NUL: Final = r"^[^\x00]*$"
OTHER_NAME: Final = "x-other-name-of"
LARGEST: Final = 10**34
WHOLE: Final = r"^-?(0|[1-9][0-9]{0,17})(\.0{1,9})?$"
NUMBER: Final = r"^-?(0|[1-9][0-9]{0,16})(\.[0-9]{1,17})?$"
DATE_TIME: Final = (
    r"^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)
TYPED: Final[dict[Kind, Schema]] = {
    "string": {"type": "string", "pattern": NO_NUL},
    "integer": {"type": "integer", "minimum": -MOST - 1, "maximum": MOST},
    "number": {"type": "number", "minimum": -LARGEST, "maximum": LARGEST},
    "boolean": {"type": "boolean"},
    "email": {"type": "string", "format": "email"},
    "date-time": {"type": "string", "format": "date-time", "pattern": DATE_TIME},
}
ALSO_IN_JSON: Final[dict[Kind, Schema]] = {
    "string": {"type": ["string", "number", "boolean"], "minimum": -LARGEST, "maximum": LARGEST},
    "integer": {"type": ["integer", "string"], "pattern": WHOLE},
    "number": {"type": ["number", "string"], "pattern": NUMBER},
    "boolean": {"type": ["boolean", "string"], "enum": [True, False, "true", "false"]},
    "email": {},
    "date-time": {},
}
OTHERS_IN_JSON: Final[Schema] = {**TYPED["number"], "type": ["string", "number", "boolean", "null"], "pattern": NO_NUL}


def of_field(field: FormField, example: Any) -> Schema:
    """As text has it."""
    schema: Schema = {**TYPED[field.kind], "description": about(field), "examples": [example]}
    if field.kind in ("string", "email"):
        schema["maxLength"] = min(field.max_length, EMAIL_LENGTH) if field.kind == "email" else field.max_length
        schema |= {"minLength": 1} if field.required else {}
    return schema


def of_form(form: Form, examples: dict[str, Any], *, json: bool) -> Schema:
    """All parameters of a body, under each of their names."""
    properties: dict[str, Schema] = {}
    for field in form.fields:
        schema = of_field(field, examples[field.name])
        properties[field.name] = _as_in_json(schema, field) if json else schema
        properties |= {name: _other_name(properties[field.name], field) for name in field.also_called}
    others = OTHERS_IN_JSON if json else TYPED["string"]
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": others if form.keeps_unknown else False,
        "propertyNames": {"pattern": r"^[^\x00]+$" if json else f"^{NAME}$"},
        "maxProperties": MAX_PARAMETERS,
        **_required(form),
    }


def about(field: FormField) -> str:
    """What the form says of it, and its other names."""
    names = f"Also called {', '.join(field.also_called)}." if field.also_called else ""
    return " ".join(filter(None, (field.about, names)))


def _as_in_json(schema: Schema, field: FormField) -> Schema:
    whole = {**schema, **ALSO_IN_JSON[field.kind]}
    if field.required:
        return whole
    types = whole["type"] if isinstance(whole["type"], list) else [whole["type"]]
    whole["type"] = [*types, "null"]
    if "enum" in whole:
        whole["enum"] = [*whole["enum"], None]
    return whole


def _other_name(schema: Schema, field: FormField) -> Schema:
    """Without examples: a request that is made of all of them would have a parameter twice."""
    told = {key: value for key, value in schema.items() if key != "examples"}
    return {**told, "description": f"Another name of {field.name}.", OTHER_NAME: field.name}


def _required(form: Form) -> Schema:
    """A parameter that has other names is there under one of them; a required one under at least one."""
    required = [field.name for field in form.fields if field.required and not field.also_called]
    rules: list[Schema] = []
    for field in form.fields:
        names = (field.name, *field.also_called)
        if field.required and field.also_called:
            rules.append({"anyOf": [{"required": [name]} for name in names]})
        rules += [{"not": {"required": list(pair)}} for pair in combinations(names, 2)]
    return {"required": required, **({"allOf": rules} if rules else {})}
