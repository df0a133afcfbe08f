"""What a setting's value may be: types with their checks, and the sentence for a value that is not allowed."""

from __future__ import annotations

import json
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode


def _names(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _properties(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(v, str | int | float) for v in found.values()):
        raise ValueError('allowed: a JSON object of librdkafka properties, such as {"security.protocol": "SSL"}')
    wrong = {name for name, held in OURS.items() if name in found and found[name] not in held}
    if wrong:
        elsewhere = "".join(f"; for {name} there is {INSTEAD[name]}" for name in sorted(wrong) if name in INSTEAD)
        raise ValueError(f"{', '.join(sorted(wrong))} cannot be changed here: the guarantees stand on it{elsewhere}")
    return found


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        whole = False
    if not whole or not _plain(value) or parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("allowed: http://host[:port][/path] or https://..., without credentials or a query")
    return value.rstrip("/")


def _trace_link(value: str) -> str:
    if not value.startswith(("http://", "https://")) or "{trace_id}" not in value or not _plain(value):
        raise ValueError("allowed: a URL with {trace_id} in it, such as https://jaeger.example/trace/{trace_id}")
    return value


def _plain(value: str) -> bool:
    return value.isascii() and value.isprintable() and " " not in value


def _header_text(value: str) -> str:
    if not value.isascii() or not value.isprintable() or value != value.strip():
        raise ValueError("allowed: printable ASCII without blanks around it")
    return value


def _header_secret(value: SecretStr) -> SecretStr:
    _header_text(value.get_secret_value())
    return value


def _ledger_address(value: SecretStr) -> SecretStr:
    given = value.get_secret_value()
    if not (given.startswith("sqlite:///") and given != "sqlite:///") and not given.startswith("postgresql://"):
        raise ValueError(
            "allowed: sqlite:///file (a fourth slash: from the root) or postgresql://user:password@host/db"
        )
    return value


def _path(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError("allowed: a path that begins with /")
    return value


OURS: Final[dict[str, tuple[object, ...]]] = {
    "enable.auto.commit": (False, "false"),
    "enable.auto.offset.store": (False, "false"),
    "enable.idempotence": (True, "true"),
    "acks": ("all", -1, "-1"),
    "request.required.acks": ("all", -1, "-1"),
    "transactional.id": (),
    "delivery.report.only.error": (False, "false"),
    "bootstrap.servers": (),
    "metadata.broker.list": (),
    "group.id": (),
}
INSTEAD: Final = {
    "bootstrap.servers": "WORKER_KAFKA__BOOTSTRAP_SERVERS",
    "metadata.broker.list": "WORKER_KAFKA__BOOTSTRAP_SERVERS",
    "group.id": "WORKER_KAFKA__GROUP_ID",
}

Properties = Annotated[dict[str, str | bool | int | float], NoDecode, BeforeValidator(_properties)]
TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
Topics = Annotated[tuple[TopicName, ...], NoDecode, BeforeValidator(_names), Field(min_length=1)]
Name = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Name, ...], NoDecode, BeforeValidator(_names), Field(min_length=1)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
TraceLink = Annotated[str, AfterValidator(_trace_link)]
HeaderText = Annotated[str, Field(min_length=1), AfterValidator(_header_text)]
HeaderSecret = Annotated[SecretStr, Field(min_length=1), AfterValidator(_header_secret)]
PathText = Annotated[str, AfterValidator(_path)]
LedgerAddress = Annotated[SecretStr, AfterValidator(_ledger_address)]
