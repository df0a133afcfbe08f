"""deploy/compose.yaml as it runs: what its user does with it, and what the sandbox of Rokt says of the books."""

from __future__ import annotations

import subprocess
import time
from random import Random
from typing import Any, Final

import httpx

from containers.engine import ROOT, Engine
from worker.sandbox.shop import carts

FILE: Final = "deploy/compose.yaml"
SANDBOX: Final = "http://127.0.0.1:8089/sandbox"


class Stack:
    """All services of the default profile."""

    def __init__(self, docker: Engine) -> None:
        self._docker = docker
        self._shop: subprocess.Popen[str] | None = None

    def up(self, *options: str) -> float:
        """Returns once all are healthy; the seconds that took."""
        began = time.monotonic()
        self.compose("up", "--no-build", "--wait", "--wait-timeout", "180", *options)
        return time.monotonic() - began

    def down(self) -> None:
        if self._shop is not None:
            self._shop.kill()
        self.compose("--profile", "load", "down", "--volumes", "--timeout", "5")

    def compose(self, *arguments: str) -> str:
        return self._docker.docker("compose", "-f", FILE, *arguments)

    def workers(self) -> list[str]:
        """The containers of the workers that run."""
        return self.compose("ps", "--quiet", "worker").split()

    def sell(self, events: int, rate: float, seed: int) -> None:
        """Begins to publish made-up events."""
        command = ["docker", "compose", "-f", FILE, "run", "--rm", "-T", "shop", "--rate", str(rate)]
        options = ["--events", str(events), "--seed", str(seed), "--json"]
        environment = dict(self._docker.environment)
        self._shop = subprocess.Popen(
            [*command, *options], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
        )

    def sold_out(self, within: float) -> None:
        """Returns once all events are acknowledged."""
        assert self._shop is not None
        self._shop.communicate(timeout=within)
        assert self._shop.returncode == 0

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{SANDBOX}/state", params={"summary": 1}, trust_env=False).json()["summary"]
        return found

    def reservations(self) -> dict[str, str]:
        """What became of each reservation at Rokt."""
        found = httpx.get(f"{SANDBOX}/state", trust_env=False, timeout=30).json()["reservations"]
        return {id_: reservation["state"] for id_, reservation in found.items()}


def expected(events: int, seed: int) -> dict[str, str]:
    """What is to become of each reservation of these events."""
    states: dict[str, str] = {}
    became = {"CheckoutCompleted": "confirmed", "OrderCancelled": "cancelled", "CartAbandoned": "released"}
    for _, made in zip(range(events), carts(Random(seed), lambda: "2026-11-26T10:00:00Z"), strict=False):
        if not made.again:
            states |= {item["itemReservationId"]: became[made.kind] for item in made.event["items"]}
    return states
