"""deploy/kafka: each example is settings that load, and properties that the client library takes."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from dotenv import dotenv_values

from infra.certificates import Authority
from worker import loading
from worker.stream import config
from worker.telemetry import logs

FOLDER = Path(__file__).parents[2] / "deploy" / "kafka"
EXAMPLES = sorted(FOLDER.glob("*.env"))
SECRETS = {"WORKER_KAFKA__SECRET_PROPERTIES", "WORKER_REGISTRY__PASSWORD"}
NEEDED = "WORKER_ROKT__API_KEY=key\nWORKER_ROKT__TAG_ID=tag\n"


@pytest.fixture(autouse=True)
def _the_process_log_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_libraries_too", lambda *_: None)


def settings_of(example: Path, folder: Path) -> Path:
    """The example's file with paths that are there."""
    authority = Authority(folder, "ca")
    certificate = authority.issue("worker.example.com")
    text = example.read_text().replace("/etc/kafka/ca.pem", str(authority.file))
    copy = folder / "worker.env"
    copy.write_text(NEEDED + re.sub(r"/etc/kafka/worker\.(pem|key)", str(certificate), text))
    return copy


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_loads_and_the_client_library_takes_it(example: Path, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name, text in re.findall(r"^# --secrets-dir, (\w+): (.*?)(?:, if .*)?$", example.read_text(), re.MULTILINE):
        assert name in SECRETS
        (secrets / name).write_text(text.rstrip("."))
    settings = loading.load({}, settings_of(example, tmp_path), secrets)
    log = logs.configure("json", "error", io.StringIO())
    consumer, producer = (
        make(settings.kafka, log, lambda _: None) for make in (config.consumer_config, config.producer_config)
    )
    config.check(consumer, producer)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_keeps_what_is_secret_apart(example: Path) -> None:
    given = dotenv_values(example)
    assert not SECRETS & given.keys()
    assert not [name for name in json.loads(given["WORKER_KAFKA__PROPERTIES"] or "") if "password" in name]


def test_the_page_names_every_example_and_no_other() -> None:
    page = (FOLDER / "README.md").read_text()
    assert set(re.findall(r"\]\((\S+\.env)\)", page)) == {path.name for path in EXAMPLES}
