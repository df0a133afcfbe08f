"""A real Prometheus for the tests: promtool, which checks rules, and servers that scrape and evaluate them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx

from infra.once import start_or_remove
from infra.ports import free_port
from infra.process import ServerProcess
from infra.prometheus_binaries import Binaries, find_binaries

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHECK_SECONDS: Final = 60.0
START_SECONDS: Final = 30.0
ASK_SECONDS: Final = 5.0
CONFIG: Final = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: {job}
    static_configs: [targets: [{target}]]
"""


@dataclass(frozen=True)
class Prometheus:
    """The programs."""

    binaries: Binaries

    def promtool(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """What promtool says; its exit code is 0 where all is well."""
        return subprocess.run(
            [self.binaries.path("promtool"), *arguments],
            capture_output=True,
            text=True,
            timeout=CHECK_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=cwd,
        )

    def scraping(self, target: str, job: str, rules: Path) -> Scraping:
        """A server that scrapes this target and evaluates these rules, every second. Its owner removes it."""
        server = Scraping(self.binaries, target, job, rules)
        start_or_remove(server)
        return server

    def __str__(self) -> str:
        return f"Prometheus: {self.binaries.version} ({self.binaries.found})"


class Scraping:
    """One server, on a port of the loopback interface."""

    def __init__(self, binaries: Binaries, target: str, job: str, rules: Path) -> None:
        self._binaries = binaries
        self._port = free_port()
        self._process = ServerProcess("prometheus", self.answers)
        self._config = self._process.folder / "prometheus.yml"
        self._config.write_text(CONFIG.format(rules=rules, job=job, target=target))
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=ASK_SECONDS, trust_env=False)

    def start(self) -> None:
        data = self._process.folder / "data"
        own = {"config.file": self._config, "storage.tsdb.path": data, "web.listen-address": f"127.0.0.1:{self._port}"}
        options = [f"--{name}={value}" for name, value in own.items()]
        self._process.start([self._binaries.path("prometheus"), *options], START_SECONDS)

    def answers(self) -> bool:
        try:
            return self._client.get("/-/ready").is_success
        except httpx.TransportError:
            return False

    def rules(self) -> list[dict[str, Any]]:
        """Every rule: its name, state and health."""
        return [rule for group in self._data("rules")["groups"] for rule in group["rules"]]

    def alerts(self) -> list[dict[str, Any]]:
        """Those that fire, and those that will if it goes on (`state`)."""
        found: list[dict[str, Any]] = self._data("alerts")["alerts"]
        return found

    def firing(self) -> set[str]:
        """The names of those that fire."""
        return {alert["labels"]["alertname"] for alert in self.alerts() if alert["state"] == "firing"}

    def ask(self, query: str) -> list[dict[str, Any]]:
        """What an expression gives at this moment."""
        found: list[dict[str, Any]] = self._data("query", query=query)["result"]
        return found

    def remove(self) -> None:
        self._client.close()
        self._process.stop()
        self._process.remove()

    def _data(self, path: str, **parameters: str) -> Any:
        return self._client.get(f"/api/v1/{path}", params=parameters).raise_for_status().json()["data"]


def find() -> tuple[Prometheus, Callable[[], None]]:
    """The programs, and nothing to give back; else the reason why there are none."""
    return Prometheus(find_binaries()), lambda: None
