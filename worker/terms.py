"""On what terms a worker works: its settings as the gate, the ledger and the consumer's thread take them."""

from __future__ import annotations

import uuid
from typing import Final

from worker import parts
from worker.gate.traffic import Rules
from worker.ledger.ledger import Terms
from worker.retry import Backoff
from worker.settings import Settings
from worker.stream import config
from worker.stream.consumption import Pace

REPEAT_SECONDS: Final = 30.0
REVOKE_SHARE: Final = 0.5
ASK_SECONDS: Final = 5.0
PRUNE_ROWS: Final = 500


def of_gate(settings: Settings) -> Rules:
    """When a call may go."""
    rokt, retry, circuit = settings.rokt, settings.retry, settings.circuit
    return Rules(
        max_concurrency=rokt.max_concurrency,
        max_attempts=retry.max_attempts,
        rejections=circuit.rejections,
        probe=Backoff(circuit.probe_initial_seconds, circuit.probe_max_seconds),
        denied=Backoff(retry.denied_initial_seconds, retry.denied_max_seconds),
    )


def of_ledger(settings: Settings) -> Terms:
    """How it is kept, and in whose name: each process has a new one. Raises SettingsError."""
    return Terms(
        owner=str(uuid.uuid4()),
        lease_seconds=parts.lease_seconds(settings),
        group=settings.ledger.group_requests,
        retention_days=settings.ledger.retention_days,
        prune_rows=PRUNE_ROWS,
        prune_seconds=settings.ledger.prune_seconds,
    )


def of_consumption(settings: Settings) -> Pace:
    """How fast the consumer's thread turns, and what its waits are bounded by."""
    kafka, drain = settings.kafka, settings.shutdown.drain_seconds
    return Pace(
        batch=kafka.batch_records,
        poll_seconds=kafka.poll_seconds,
        commit_seconds=kafka.commit_seconds,
        commit_records=kafka.commit_records,
        ask_seconds=ASK_SECONDS,
        revoke_seconds=min(drain, config.max_poll_interval_seconds(kafka) * REVOKE_SHARE),
        drain_seconds=drain,
        repeat_seconds=REPEAT_SECONDS,
    )
