"""The traces' collector, as the standard variables name it.

OpenTelemetry, "OTLP Exporter Configuration": over HTTP an empty export is sent, which changes nothing and tries path
and headers; over gRPC the port is tried.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import httpx
from opentelemetry.util.re import parse_env_headers

from worker.doctor.asking.words import in_words, shown
from worker.doctor.finding import Finding, green, red, yellow
from worker.errors import SettingsError
from worker.telemetry.export import ENDPOINTS, PROTOCOLS, exporters_asked

CHECK: Final = "traces"
ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
PATH: Final = "/v1/traces"
HEADERS: Final = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
AUTHORITIES: Final = ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE")
NOT_FOUND: Final = 404
PORTS: Final = {"grpc": 4317, "http/protobuf": 4318}


async def ask_traces(environ: Mapping[str, str], seconds: float) -> list[Finding]:
    """Whether somebody takes them. Raises SettingsError."""
    asked = exporters_asked(environ)
    if not asked:
        return [green(CHECK, f"no exporter is set ({ENDPOINT}): traces go on through the worker, and are kept nowhere")]
    if "otlp" not in asked:
        return [green(CHECK, f"go to {', '.join(asked)}")]
    protocol = next((environ[name] for name in PROTOCOLS if environ.get(name)), "http/protobuf")
    if protocol not in PORTS:
        raise SettingsError([f"OTEL_EXPORTER_OTLP_PROTOCOL: given {protocol!r}; allowed: {', '.join(PORTS)}"])
    url = _url(environ, protocol)
    if protocol == "grpc":
        return [await _port(url, seconds)]
    return [await _export(url, environ, seconds)]


async def _export(url: str, environ: Mapping[str, str], seconds: float) -> Finding:
    given = next((environ[name] for name in AUTHORITIES if environ.get(name)), None)
    headers = {"content-type": "application/x-protobuf"}
    for name in HEADERS:
        headers |= parse_env_headers(environ.get(name, ""), liberal=True)
    where = shown(url)
    try:
        verify = ssl.create_default_context(cafile=given)
        async with httpx.AsyncClient(timeout=seconds, verify=verify) as client:
            answer = await client.post(url, content=b"", headers=headers)
    except OSError as error:
        return red(CHECK, f"{AUTHORITIES[1]} cannot be read ({type(error).__name__})", "name a PEM file there")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return _unreachable(where, in_words(error))
    if answer.is_success:
        return green(CHECK, f"{where} takes them")
    if answer.status_code in (401, 403):
        return red(CHECK, f"{where} refuses us ({answer.status_code})", f"give what it asks for in {HEADERS[0]}")
    if answer.status_code == NOT_FOUND:
        return red(CHECK, f"{where} knows no such path (404)", f"give {ENDPOINT} without {PATH}, which is added")
    return yellow(CHECK, f"{where} answered {answer.status_code} to an empty export", "look at the collector's log")


async def _port(url: str, seconds: float) -> Finding:
    parts = urlsplit(url if "//" in url else f"//{url}")
    where = f"{parts.hostname}:{parts.port or PORTS['grpc']}"
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or PORTS["grpc"])
    except (OSError, TimeoutError) as error:
        return _unreachable(where, in_words(error))
    writer.close()
    return green(CHECK, f"{where} answers (gRPC: only the port was tried)")


def _url(environ: Mapping[str, str], protocol: str) -> str:
    own, shared = (environ.get(name) for name in ENDPOINTS)
    if own:
        return own
    base = (shared or f"http://localhost:{PORTS[protocol]}").rstrip("/")
    return base if protocol == "grpc" else base + PATH


def _unreachable(where: str, why: str) -> Finding:
    return yellow(
        CHECK,
        f"{where}: {why}; spans are dropped",
        f"start the collector, or look at {ENDPOINT}; the worker itself does not need it",
    )
