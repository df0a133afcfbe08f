"""deploy/worker.env.example shows every setting, with its default."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from worker.settings import groups, setting_name

EXAMPLE = (Path(__file__).parents[2] / "deploy" / "worker.env.example").read_text().splitlines()
SHOWN = dict(line.removeprefix("# ").split("=", 1) for line in EXAMPLE if line.removeprefix("# ").startswith("WORKER_"))
FIELDS: dict[str, FieldInfo] = {
    setting_name(group, name): field for group, kind in groups().items() for name, field in kind.model_fields.items()
}


def test_it_shows_every_setting_and_no_other() -> None:
    assert set(SHOWN) == set(FIELDS)


def test_what_must_be_set_stands_open_and_the_rest_shows_its_default() -> None:
    for name, field in FIELDS.items():
        if field.is_required():
            assert any(line.startswith(f"{name}=") for line in EXAMPLE), name
        else:
            assert f"# {name}={_text(field.default)}" in EXAMPLE


def _text(default: object) -> str:
    if default is None:
        return ""
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(default)
    return str(default)
