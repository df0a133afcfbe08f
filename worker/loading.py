"""Settings from their three places; a sentence for each wrong one: its name, what was given, what is allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import get_args

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError as UnreadableSetting

from worker.errors import SettingsError
from worker.settings import PREFIX, Settings, groups, setting_name

MAX_SHOWN = 80
_USERINFO = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*:/{0,2}).*@", re.DOTALL)
_QUERY = re.compile(r"\?.*", re.DOTALL)
Known = dict[str, tuple[str, str]]


def load(environ: Mapping[str, str], env_file: Path | None = None, secrets_dir: Path | None = None) -> Settings:
    """The settings; `environ` is the process's own, given to look for names in. Raises SettingsError."""
    _there(env_file, secrets_dir)
    try:
        return _loaded(environ, env_file, secrets_dir)
    except (OSError, UnicodeDecodeError) as error:
        named = " or ".join(_options(env_file, secrets_dir))
        raise SettingsError([f"{named}: cannot be read ({type(error).__name__})"]) from None


def telemetry(environ: MutableMapping[str, str], env_file: Path | None) -> None:
    """Adds what the env file says of telemetry, where the environment does not."""
    if env_file is not None:
        for name, value in dotenv_values(env_file).items():
            if name.startswith("OTEL_") and value is not None:
                environ.setdefault(name, value)


def _loaded(environ: Mapping[str, str], env_file: Path | None, secrets_dir: Path | None) -> Settings:
    known: Known = {
        setting_name(group, name): (group, name) for group, kind in groups().items() for name in kind.model_fields
    }
    given = _given(environ, env_file, secrets_dir)
    problems = [_unknown(name, list(known)) for name in sorted(given) if name not in known]
    try:
        settings = Settings(_env_file=env_file, _env_file_encoding="utf-8", _secrets_dir=secrets_dir)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=False):
            problems += _problems(detail, given)
        raise SettingsError(problems) from None
    except UnreadableSetting:  # a whole group given as one variable, which stands among the unknown ones
        raise SettingsError(problems or [f"{' or '.join(_options(env_file, secrets_dir))}: cannot be read"]) from None
    if problems:
        raise SettingsError(problems)
    return settings


def _there(env_file: Path | None, secrets_dir: Path | None) -> None:
    if env_file is not None and not env_file.is_file():
        raise SettingsError([f"--env-file: there is no file {env_file}"])
    if secrets_dir is not None and not secrets_dir.is_dir():
        raise SettingsError([f"--secrets-dir: there is no folder {secrets_dir}"])


def _options(env_file: Path | None, secrets_dir: Path | None) -> list[str]:
    """Where settings are read from that is not the environment."""
    places = {"--env-file": env_file, "--secrets-dir": secrets_dir}
    return [option for option, place in places.items() if place is not None]


def origins(environ: Mapping[str, str], env_file: Path | None, secrets_dir: Path | None) -> dict[str, list[str]]:
    """Every setting that was given, with the places where it stands; the first of them counts. For settings that load.

    The places are "environment", the env file's name and the folder's.
    """
    folder = {path.name for path in secrets_dir.iterdir() if path.is_file()} if secrets_dir is not None else set()
    file = set(dotenv_values(env_file)) if env_file is not None else set()
    found: dict[str, list[str]] = {}
    for place, names in (("environment", set(environ)), (str(env_file), file), (str(secrets_dir), folder)):
        for name in sorted(n.upper() for n in names if n.upper().startswith(PREFIX)):
            found.setdefault(name, []).append(place)
    return found


def _given(environ: Mapping[str, str], env_file: Path | None, secrets_dir: Path | None) -> dict[str, str]:
    """Every variable of ours that was given, wherever: name to value."""
    given: dict[str, str] = {}
    if secrets_dir is not None:
        given |= dict.fromkeys((path.name for path in secrets_dir.iterdir() if path.is_file()), "")
    if env_file is not None:
        _whole(env_file)
        given |= {name: value or "" for name, value in dotenv_values(env_file).items()}
    given |= environ
    return {name.upper(): value for name, value in given.items() if name.upper().startswith(PREFIX)}


def _whole(env_file: Path) -> None:
    with env_file.open(encoding="utf-8") as lines:
        wrong = [line.original.line for line in parse_stream(lines) if line.error]
    if wrong:
        raise SettingsError([f"--env-file: line {number} is no NAME=value" for number in wrong])


def _unknown(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.75)
    return f"{name}: there is no such setting" + (f"; did you mean {near[0]}?" if near else "")


def _problems(detail: ErrorDetails, given: Mapping[str, str]) -> list[str]:
    group, *rest = (str(part) for part in detail["loc"])
    fields = groups()[group].model_fields
    if not rest:
        return [_missing(setting_name(group, name)) for name, field in fields.items() if field.is_required()]
    name = setting_name(group, rest[0])
    if detail["type"] == "missing":
        return [_missing(name)]
    if rest[0] not in fields:
        return []
    return [f"{name}: {_shown(given.get(name), is_secret(group, rest[0]))}{_allowed(detail)}"]


def _missing(name: str) -> str:
    return f"{name}: is not set, and there is no default"


def is_secret(group: str, name: str) -> bool:
    """Whether a setting's value must not be shown; librdkafka's properties hold passwords too."""
    annotation = groups()[group].model_fields[name].annotation
    return annotation is SecretStr or SecretStr in get_args(annotation) or name in ("properties", "secret_properties")


def _shown(value: str | None, secret: bool) -> str:
    if value is None:
        return ""
    if secret:
        return "given (not shown); "
    return f"given {_without_credentials(value)[:MAX_SHOWN]!r}; "


def _without_credentials(value: str) -> str:
    """An address, whole or malformed, without what may be a password in it."""
    return _QUERY.sub("?***", _USERINFO.sub(r"\1***@", value))


def _allowed(detail: ErrorDetails) -> str:
    told = detail["msg"].removeprefix("Value error, ")
    if "cannot be changed" in told:
        return told
    return f"allowed: {told.removeprefix('allowed: ').removeprefix('Input should be ')}"
