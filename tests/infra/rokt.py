"""The stateful Rokt of the tests: the worker's own sandbox, in a thread, and what it says of itself."""

from __future__ import annotations

from typing import Any

import httpx

from worker.sandbox.app import Settings
from worker.sandbox.server import RunningSandbox, start_sandbox


class Rokt:
    """A sandbox and its admin API."""

    def __init__(self, settings: Settings | None = None, port: int = 0) -> None:
        self._running: RunningSandbox = start_sandbox(settings, port=port)
        self.url = self._running.url
        self._admin = httpx.Client(base_url=f"{self.url}/sandbox", trust_env=False)

    def stop(self) -> None:
        self._admin.close()
        self._running.stop()

    def faults(self, **faults: Any) -> None:
        """Orders these faults and no others."""
        self._admin.put("/faults", json=faults).raise_for_status()

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = self._admin.get("/state", params={"summary": 1}).raise_for_status().json()["summary"]
        return found

    def reservations(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self._admin.get("/state").raise_for_status().json()["reservations"]
        return found

    def state_of(self, reservation: str) -> str | None:
        found = self.reservations().get(reservation)
        return None if found is None else str(found["state"])

    def calls(self, operation: str | None = None) -> list[dict[str, Any]]:
        """The calls so far, in order."""
        found = self._admin.get("/calls", params={"limit": 10_000}).raise_for_status().json()["calls"]
        return [call for call in found if operation in (None, call["operation"])]
