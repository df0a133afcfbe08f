"""Who takes traces and metrics, as the standard variables name them.

OpenTelemetry, "OTLP Exporter Configuration": over HTTP an empty export is sent, which changes nothing and tries path
and headers; over gRPC the port is tried.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx
from opentelemetry.util.re import parse_env_headers

from worker.doctor.asking.words import in_words, shown
from worker.doctor.finding import Finding, green, red, yellow
from worker.telemetry.export import ENDPOINT, Signal, exporters_asked, protocol, variables

PORTS: Final = {"grpc": 4317, "http/protobuf": 4318}
NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class _Signal:
    """One of the two: its name in the variables, its check, its path over HTTP, and what is lost without it."""

    name: Signal
    check: str
    path: str
    lost: str


TRACES: Final = _Signal("TRACES", "traces", "/v1/traces", "spans")
METRICS: Final = _Signal("METRICS", "metrics", "/v1/metrics", "metrics")


async def ask_traces(environ: Mapping[str, str], seconds: float) -> list[Finding]:
    """Whether somebody takes the traces. Raises SettingsError."""
    nowhere = f"no exporter is set ({ENDPOINT}): traces go on through the worker, and are kept nowhere"
    return await _ask(TRACES, nowhere, environ, seconds)


async def ask_metrics(environ: Mapping[str, str], seconds: float) -> list[Finding]:
    """Whether somebody takes the metrics that are pushed. Raises SettingsError."""
    nowhere = f"are not pushed ({ENDPOINT} is not set): /metrics has them, where WORKER_HEALTH__PORT is set"
    return await _ask(METRICS, nowhere, environ, seconds)


async def _ask(of: _Signal, nowhere: str, environ: Mapping[str, str], seconds: float) -> list[Finding]:
    asked = exporters_asked(environ, of.name)
    if not asked:
        return [green(of.check, nowhere)]
    if "otlp" not in asked:
        return [green(of.check, f"go to {', '.join(asked)}")]
    spoken = protocol(environ, of.name)
    url = _url(of, environ, spoken)
    if spoken == "grpc":
        return [await _port(of, url, seconds)]
    return [await _export(of, url, environ, seconds)]


async def _export(of: _Signal, url: str, environ: Mapping[str, str], seconds: float) -> Finding:
    authorities = variables(of.name, "CERTIFICATE")
    given = next((environ[name] for name in authorities if environ.get(name)), None)
    headers = {"content-type": "application/x-protobuf"}
    for name in reversed(variables(of.name, "HEADERS")):
        headers |= parse_env_headers(environ.get(name, ""), liberal=True)
    where = shown(url)
    try:
        verify = ssl.create_default_context(cafile=given)
        async with httpx.AsyncClient(timeout=seconds, verify=verify) as client:
            answer = await client.post(url, content=b"", headers=headers)
    except OSError as error:
        return red(of.check, f"{authorities[1]} cannot be read ({type(error).__name__})", "name a PEM file there")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return _unreachable(of, where, in_words(error))
    if answer.is_success:
        return green(of.check, f"{where} takes them")
    if answer.status_code in (401, 403):
        asks = variables(of.name, "HEADERS")[1]
        return red(of.check, f"{where} refuses us ({answer.status_code})", f"give what it asks for in {asks}")
    if answer.status_code == NOT_FOUND and of is METRICS:
        mend = "give a collector that does, or OTEL_METRICS_EXPORTER=none"
        return yellow(of.check, f"{where} takes none (404)", mend)
    if answer.status_code == NOT_FOUND:
        return red(of.check, f"{where} knows no such path (404)", f"give {ENDPOINT} without {of.path}, which is added")
    return yellow(of.check, f"{where} answered {answer.status_code} to an empty export", "look at the collector's log")


async def _port(of: _Signal, url: str, seconds: float) -> Finding:
    parts = urlsplit(url if "//" in url else f"//{url}")
    where = f"{parts.hostname}:{parts.port or PORTS['grpc']}"
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or PORTS["grpc"])
    except (OSError, TimeoutError) as error:
        return _unreachable(of, where, in_words(error))
    writer.close()
    return green(of.check, f"{where} answers (gRPC: only the port was tried)")


def _url(of: _Signal, environ: Mapping[str, str], spoken: str) -> str:
    own, shared = (environ.get(name) for name in variables(of.name, "ENDPOINT"))
    if own:
        return own
    base = (shared or f"http://localhost:{PORTS[spoken]}").rstrip("/")
    return base if spoken == "grpc" else base + of.path


def _unreachable(of: _Signal, where: str, why: str) -> Finding:
    return yellow(
        of.check,
        f"{where}: {why}; {of.lost} are dropped",
        f"start the collector, or look at {ENDPOINT}; the worker itself does not need it",
    )
