"""deploy/Dockerfile and deploy/compose.yaml: pinned, shut off, and speaking of settings that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import kafka_jvm, maven
from worker.settings import ShutdownSettings, groups, setting_name

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
SETTINGS = {setting_name(group, name) for group, kind in groups().items() for name in kind.model_fields}
OURS = ("sandbox", "worker", "shop")
CLOSING_SECONDS = 10.0
PIN = re.compile(r"^([a-z0-9._-]+)==(\S+)", re.MULTILINE)


def pins(path: Path) -> dict[str, str]:
    return dict(PIN.findall(path.read_text()))


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


@pytest.mark.parametrize("lock", ["runtime.lock", "build.lock"])
def test_what_goes_into_the_image_is_pinned_as_it_is_tested(lock: str) -> None:
    whole, ours = pins(ROOT / "requirements.lock"), pins(DEPLOY / lock)
    assert ours.items() <= whole.items()
    assert (DEPLOY / lock).read_text().count("--hash=sha256:") >= len(ours)


def test_nothing_of_the_tests_is_in_the_image() -> None:
    assert not {"pytest", "hypothesis", "mypy", "ruff", "testcontainers"} & pins(DEPLOY / "runtime.lock").keys()
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert "*" in ignored
    assert not [line for line in ignored if line.startswith("!") and "test" in line]


def test_the_image_is_not_roots_and_begins_with_the_worker_itself() -> None:
    last = DOCKERFILE.rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert 'ENTRYPOINT ["/opt/worker/bin/rokt-worker"]' in last
    assert "HEALTHCHECK" in last
    assert DOCKERFILE.count("FROM ${BASE}") == 2


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_of_one_version_and_can_be_replaced(name: str) -> None:
    found = re.fullmatch(r"\$\{(\w+)_IMAGE:-(\S+):([\w.-]+)\}", SERVICES[name]["image"])
    assert found is not None
    assert found[3] != "latest"


def test_the_kafka_is_the_one_of_the_tests() -> None:
    assert SERVICES["kafka"]["image"].endswith(f":{maven.pinned(kafka_jvm.POM, 'kafka.version')}}}")


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_on_the_loopback_interface(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


@pytest.mark.parametrize("name", OURS)
def test_what_is_ours_writes_nothing_and_may_nothing(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"]
    assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])


@pytest.mark.parametrize("name", OURS)
def test_every_setting_is_one_that_there_is(name: str) -> None:
    given = {setting for setting in SERVICES[name]["environment"] if setting.startswith("WORKER_")}
    assert given <= SETTINGS


def test_a_worker_has_the_time_to_drain() -> None:
    assert seconds(SERVICES["worker"]["stop_grace_period"]) >= ShutdownSettings().drain_seconds + CLOSING_SECONDS


def test_what_is_mounted_is_there() -> None:
    mounted = [volume for service in SERVICES.values() for volume in service.get("volumes", ()) if volume[0] == "."]
    assert mounted
    assert all((DEPLOY / volume.split(":")[0]).is_file() for volume in mounted)


def test_whoever_is_waited_for_says_whether_it_is_well() -> None:
    for service in SERVICES.values():
        needs = service.get("depends_on", {})
        waited_for = needs if isinstance(needs, dict) else {}
        assert all("healthcheck" in SERVICES[other] for other in waited_for)
