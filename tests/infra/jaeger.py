"""A real tracing backend: Jaeger, which keeps what it is sent by OTLP, and is asked by its own API.

The API's version 3 answers in OTLP's own terms (Jaeger documentation, "APIs", "HTTP JSON (stable)").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from infra.jaeger_binary import Binary, find_binary
from infra.once import start_or_remove
from infra.ports import free_port
from infra.process import ServerProcess

CONFIG: Final = Path(__file__).with_name("jaeger.yaml")
COLLECTOR: Final = Path(__file__).parents[2] / "deploy" / "observability" / "collector.yaml"
QUIET: Final = "--set=service.telemetry.metrics.level=none"
START_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Event:
    """Something noted on a span."""

    name: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Span:
    """A span as the backend has it; `links` are the ids of the spans that it is linked to."""

    service: str
    name: str
    kind: str
    span_id: str
    parent_id: str
    failed: bool
    attributes: Mapping[str, Any]
    events: tuple[Event, ...]
    links: tuple[str, ...]
    start_ns: int


class Jaeger:
    """The backend, running."""

    def __init__(self, binary: Binary) -> None:
        self.binary = binary
        self._ports = {name: str(free_port()) for name in ("OTLP_GRPC", "OTLP_HTTP", "QUERY_HTTP", "QUERY_GRPC")}
        self.otlp = f"http://127.0.0.1:{self._ports['OTLP_HTTP']}"
        self.otlp_grpc = f"127.0.0.1:{self._ports['OTLP_GRPC']}"
        self.url = f"http://127.0.0.1:{self._ports['QUERY_HTTP']}"
        self._process = ServerProcess("jaeger", self.answers, environment=self._ports)

    @property
    def restartable(self) -> bool:
        return False

    def start(self) -> None:
        self._process.start([str(self.binary.path), "--config", str(CONFIG)], START_SECONDS)

    def remove(self) -> None:
        self._process.remove()

    def answers(self) -> bool:
        return _answers(f"{self.url}/api/services")

    def trace(self, trace_id: str) -> list[Span]:
        """The spans of a trace, in the order in which they began; none while it knows no such trace."""
        answer = httpx.get(f"{self.url}/api/v3/traces/{trace_id}", timeout=10, trust_env=False)
        if answer.status_code == 404:
            return []
        resources = answer.raise_for_status().json()["result"]["resourceSpans"]
        return sorted((_span(r, s) for r in resources for s in _spans(r)), key=lambda span: span.start_ns)

    def __str__(self) -> str:
        return f"Jaeger at {self.url} ({self.binary.found})"


class Collector:
    """An OpenTelemetry Collector with the configuration of deploy/observability, in front of a backend."""

    def __init__(self, backend: Jaeger, **environment: str) -> None:
        self._binary = backend.binary
        ports = {name: str(free_port()) for name in ("OTLP_GRPC_PORT", "OTLP_HTTP_PORT")}
        metrics = free_port()
        self.otlp = f"http://127.0.0.1:{ports['OTLP_HTTP_PORT']}"
        self.metrics = f"http://127.0.0.1:{metrics}/metrics"
        settings = {"OTLP_HOST": "127.0.0.1", "TRACES_ENDPOINT": backend.otlp_grpc, **ports}
        given = {**settings, "METRICS_ENDPOINT": f"127.0.0.1:{metrics}", **environment}
        self._process = ServerProcess("collector", lambda: _answers(self.metrics), environment=given)

    def start(self) -> None:
        self._process.start([str(self._binary.path), "--config", str(COLLECTOR), QUIET], START_SECONDS)

    def remove(self) -> None:
        self._process.remove()

    def log(self) -> str:
        return self._process.log.read_text(errors="replace")


def find() -> tuple[Jaeger, Callable[[], None]]:
    """A backend and how to give it back; else the reason why there is none."""
    server = Jaeger(find_binary())
    start_or_remove(server)
    return server, server.remove


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _spans(resource: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [span for scope in resource["scopeSpans"] for span in scope["spans"]]


def _span(resource: Mapping[str, Any], span: Mapping[str, Any]) -> Span:
    return Span(
        service=_attributes(resource["resource"])["service.name"],
        name=span["name"],
        kind={2: "server", 3: "client", 4: "producer", 5: "consumer"}.get(span.get("kind", 0), "internal"),
        span_id=span["spanId"],
        parent_id=span.get("parentSpanId", ""),
        failed=span.get("status", {}).get("code") == 2,
        attributes=_attributes(span),
        events=tuple(Event(event["name"], _attributes(event)) for event in span.get("events", [])),
        links=tuple(link["spanId"] for link in span.get("links", [])),
        start_ns=int(span["startTimeUnixNano"]),
    )


def _attributes(of: Mapping[str, Any]) -> dict[str, Any]:
    return {pair["key"]: _value(pair["value"]) for pair in of.get("attributes", [])}


def _value(value: Mapping[str, Any]) -> Any:
    """OTLP in JSON writes whole numbers as text."""
    ((kind, held),) = value.items()
    return int(held) if kind == "intValue" else held
