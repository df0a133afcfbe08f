"""What the worker talks to, made from settings: Rokt, the schema registry, the ledger's database."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from worker.decode.schemas import FILES, load
from worker.errors import SettingsError
from worker.ledger.opening import store_for
from worker.ledger.store import Store
from worker.rokt import access as rokt
from worker.rokt.client import RoktClient
from worker.rokt.exchange import Transport
from worker.rokt.transport import HttpTransport
from worker.settings import LedgerSettings, RegistrySettings, RoktSettings, Settings
from worker.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from worker.decode.registry import Registry

LEASE_OF_TIMEOUT = 1.5
LEASE_MARGIN_SECONDS = 5.0


def transport(given: RoktSettings) -> Transport:
    """The connections to Rokt. Raises SettingsError."""
    return HttpTransport(
        max_connections=given.max_concurrency,
        verify=_tls(given.ca_location),
        keepalive_seconds=given.keepalive_seconds,
    )


def client(
    settings: Settings, tracing: Tracing, now: Callable[[], datetime], over: Transport | None = None
) -> RoktClient:
    """Rokt's API, with our credentials; over connections of its own unless others are given. Raises SettingsError."""
    given = settings.rokt
    access = rokt.Access(
        urls={
            "confirm": given.base_url + given.confirm_path,
            "release": given.base_url + given.release_path,
            "cancel": given.base_url + given.cancel_path,
            "placements": given.base_url + given.placements_path,
        },
        api_key=given.api_key.get_secret_value(),
        tag_id=given.tag_id,
        accept_language=given.accept_language,
        idempotency_key=given.idempotency_key,
        timeouts=_timeouts(given),
        max_response_bytes=given.max_response_bytes,
        max_retry_after_seconds=settings.retry.max_retry_after_seconds,
    )
    return RoktClient(over or transport(given), access, tracing, now)


def _timeouts(given: RoktSettings) -> rokt.Timeouts:
    return rokt.Timeouts(
        total=given.timeout_seconds,
        connect=given.connect_timeout_seconds,
        read=given.read_timeout_seconds,
        write=given.write_timeout_seconds,
        pool=given.pool_timeout_seconds,
    )


def _tls(ca_location: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_location) if ca_location else None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError([f"WORKER_ROKT__CA_LOCATION: cannot be read ({type(error).__name__})"]) from None


def registry(given: RegistrySettings) -> Registry | None:
    """The schema registry, if there is one. Raises SettingsError."""
    if given.url is None:
        return None
    from worker.decode.registry import Access, Registry

    properties: dict[str, Any] = {"url": given.url}
    if given.username is not None:
        properties["basic.auth.user.info"] = f"{given.username}:{_secret(given.password) or ''}"
    if given.token is not None:
        properties |= {
            "bearer.auth.credentials.source": "STATIC_TOKEN",
            "bearer.auth.token": _secret(given.token),
            "bearer.auth.logical.cluster": given.logical_cluster,
        }
        if given.identity_pool is not None:
            properties["bearer.auth.identity.pool.id"] = given.identity_pool
    files = {
        "ssl.ca.location": given.ca_location,
        "ssl.certificate.location": given.certificate_location,
        "ssl.key.location": given.key_location,
    }
    properties |= {name: str(path) for name, path in files.items() if path is not None}
    if given.key_password is not None:
        properties["ssl.key.password"] = _secret(given.key_password)
    try:
        return Registry(Access(properties, given.timeout_seconds), {kind: load(name) for kind, name in FILES.items()})
    except (ValueError, TypeError, OSError) as error:
        raise SettingsError([f"WORKER_REGISTRY__*: the client refuses them ({type(error).__name__})"]) from None


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value is not None else None


def store(given: LedgerSettings) -> Store:
    """The ledger's database. Raises SettingsError."""
    return store_for(
        given.url.get_secret_value(),
        timeout_seconds=given.timeout_seconds,
        connections=given.connections,
        synchronous=given.synchronous,
    )


def lease_seconds(settings: Settings) -> float:
    """How long a call stays its worker's after that was last heard of: longer than an attempt. Raises SettingsError."""
    longest, given = settings.rokt.timeout_seconds * LEASE_OF_TIMEOUT, settings.ledger.lease_seconds
    if given is None:
        return longest + LEASE_MARGIN_SECONDS
    if given < longest:
        raise SettingsError(
            [f"WORKER_LEDGER__LEASE_SECONDS: given {given:g}; allowed: at least {longest:g}, an attempt and a half"]
        )
    return given
