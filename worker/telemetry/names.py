"""Every name that the outside can see, in one place: they are a public contract.

Spans and their attributes: OpenTelemetry semantic conventions (messaging, in development; HTTP client, stable).
Dead-letter headers, reasons and statuses: the worker's own.
"""

from __future__ import annotations

from typing import Final, Literal

Reason = Literal[
    "undecodable", "invalid", "rejected", "item-rejected", "exhausted", "unknown-outcome", "nothing-to-cancel"
]
Status = Literal["succeeded", "duplicate", "partial", "rejected", "superseded", "dead"]
Cause = Literal[
    "registry",
    "lane",
    "turn",
    "confirm",
    "ledger",
    "circuit",
    "retry-after",
    "concurrency",
    "rate",
    "backoff",
    "broker",
]
"""What is waited for: the schema registry; an earlier event of the cart or order; that fewer events are begun; a cancel
for its confirm; another worker's call, or the database; at the gate an open circuit, a Retry-After, fewer calls under
way, the rate; the next attempt; that brokers take what is written."""

# Dead-letter headers, in the order in which they are written behind the original ones.
DLQ_REASON: Final = "dlq.reason"
DLQ_MESSAGE: Final = "dlq.message"
DLQ_EXCEPTION: Final = "dlq.exception"
DLQ_HTTP_STATUS: Final = "dlq.http.status"
DLQ_HTTP_BODY: Final = "dlq.http.body"
DLQ_ATTEMPTS: Final = "dlq.attempts"
DLQ_OPERATION: Final = "dlq.operation"
DLQ_IDEMPOTENCY_KEY: Final = "dlq.idempotency-key"
DLQ_SOURCE_TOPIC: Final = "dlq.source.topic"
DLQ_SOURCE_PARTITION: Final = "dlq.source.partition"
DLQ_SOURCE_OFFSET: Final = "dlq.source.offset"
DLQ_SOURCE_TIMESTAMP: Final = "dlq.source.timestamp"
DLQ_GROUP: Final = "dlq.group"
DLQ_FAILED_AT: Final = "dlq.failed-at"
DLQ_REDRIVES: Final = "dlq.redrives"

# Span attributes of OpenTelemetry.
MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_OPERATION_NAME: Final = "messaging.operation.name"
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_DESTINATION: Final = "messaging.destination.name"
MESSAGING_GROUP: Final = "messaging.consumer.group.name"
MESSAGING_PARTITION: Final = "messaging.destination.partition.id"
MESSAGING_OFFSET: Final = "messaging.kafka.offset"
MESSAGING_TOMBSTONE: Final = "messaging.kafka.message.tombstone"
MESSAGING_BODY_SIZE: Final = "messaging.message.body.size"
HTTP_METHOD: Final = "http.request.method"
HTTP_STATUS: Final = "http.response.status_code"
HTTP_RESEND_COUNT: Final = "http.request.resend_count"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
URL_FULL: Final = "url.full"
HTTP_ROUTE: Final = "http.route"
URL_PATH: Final = "url.path"
URL_TEMPLATE: Final = "url.template"
ERROR_TYPE: Final = "error.type"
DB_SYSTEM: Final = "db.system.name"
DB_OPERATION: Final = "db.operation.name"
CPU_MODE: Final = "cpu.mode"

# Span attributes of the worker's own.
ROKT_OPERATION: Final = "rokt.operation"
ROKT_CART: Final = "rokt.cart.id"
ROKT_ORDER: Final = "rokt.order.id"
ROKT_KEY: Final = "rokt.idempotency_key"
ROKT_STATUS: Final = "rokt.status"
ROKT_REASON: Final = "rokt.dead_letter.reason"
ROKT_BEFORE: Final = "rokt.settled_before"
ROKT_WHY: Final = "rokt.why"
ROKT_FATE: Final = "rokt.fate"
ROKT_RESULT: Final = "rokt.transaction.result"
ROKT_REDRIVES: Final = "rokt.redrives"
EVENT_ID: Final = "rokt.event.id"
EVENT_TYPE: Final = "rokt.event.type"

# Events of a span: what was waited for, once it was over.
SPAN_WAITED: Final = "rokt.waited"
WAIT_CAUSE: Final = "rokt.wait.cause"
WAIT_SECONDS: Final = "rokt.wait.seconds"
WAIT_DETAIL: Final = "rokt.wait.detail"

# Events of the log; each line has one, under "event".
LOG_STARTED: Final = "worker.started"
LOG_STOPPING: Final = "worker.stopping"
LOG_STOPPED: Final = "worker.stopped"
LOG_UNMEASURED: Final = "metrics.stand_still"
LOG_BROKERS_DOWN: Final = "kafka.brokers_down"
LOG_CLIENT: Final = "kafka.client"
LOG_TOPIC_MISSING: Final = "kafka.topic_missing"
LOG_ASSIGNED: Final = "kafka.assigned"
LOG_REVOKED: Final = "kafka.revoked"
LOG_LOST: Final = "kafka.lost"
LOG_PAUSED: Final = "kafka.paused"
LOG_RECORDS_LOST: Final = "kafka.records_lost"
LOG_REWOUND: Final = "kafka.log_rewound"
LOG_LOSS_UNKNOWN: Final = "kafka.loss_unknown"
LOG_RETENTION_NEAR: Final = "kafka.retention_near"
LOG_IN_HAND_ONLY: Final = "kafka.in_hand_only"
LOG_RETENTION_UNKNOWN: Final = "kafka.retention_unknown"
LOG_STALLED: Final = "kafka.stalled"
LOG_COMMIT_UNKNOWN: Final = "kafka.committed_unknown"
LOG_COMMIT_FAILED: Final = "kafka.commit_failed"
LOG_CONSUME_ERROR: Final = "kafka.consume_error"
LOG_WRITE_WAITING: Final = "kafka.write_waiting"
LOG_OUTCOME_TRIMMED: Final = "kafka.outcome_trimmed"
LOG_REGISTRY_WAITING: Final = "registry.waiting"
LOG_LEDGER_WAITING: Final = "ledger.waiting"
LOG_LEDGER_BACK: Final = "ledger.back"
LOG_LEDGER_FAILED: Final = "ledger.failed"
LOG_LEDGER_UNCLOSED: Final = "ledger.not_closed"
LOG_LEDGER_OTHER_BODY: Final = "ledger.same_key_other_body"
LOG_SETTLED_BEFORE: Final = "event.settled_before"
LOG_SETTLED: Final = "event.settled"
LOG_RETRY: Final = "call.retry"
LOG_UNREAD: Final = "call.answer_unread"
LOG_HELD: Final = "event.held"
LOG_DEFECT: Final = "worker.defect"
LOG_ABANDONED: Final = "event.left_uncommitted"
LOG_TRANSACTION: Final = "transaction.answered"
LOG_SERVING: Final = "transactions.serving"
LOG_DENIED: Final = "credentials.refused"
LOG_ACCEPTED_AGAIN: Final = "credentials.accepted"
LOG_CIRCUIT_OPENED: Final = "circuit.opened"
LOG_CIRCUIT_PROBE: Final = "circuit.probe"
LOG_CIRCUIT_CLOSED: Final = "circuit.closed"
LOG_HELD_BACK: Final = "calls.held_back"
LOG_PACED: Final = "calls.paced"
LOG_CREDENTIALS_READ: Final = "credentials.read_again"
LOG_CREDENTIALS_UNREADABLE: Final = "credentials.unreadable"
