"""Everything that is measured, in one place: name, unit, labels, meaning. A public contract.

Where OpenTelemetry's semantic conventions (1.44) have a metric it is theirs, with its name, unit, attributes and
buckets (messaging and database clients: in development; HTTP clients and processes: stable); `rokt.*` are the worker's
own. Prometheus has them with `_` for `.`, the unit behind, and `_total` behind what only grows. No label holds an id:
each takes its values from the settings, or from a list that is closed. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from worker.telemetry import names

Kind = Literal["counter", "gauge", "histogram"]

REQUEST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
STORE_SECONDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
AGE_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0)
WAIT_SECONDS: Final = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 900.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric. `labels` are told with each value, `constant` ones are the same of all; `bounds` are a histogram's.

    A label that is empty is left out: `error.type` of what went well.
    """

    name: str
    kind: Kind
    unit: str
    what: str
    labels: tuple[str, ...] = ()
    constant: Mapping[str, str] = field(default_factory=dict, compare=False)
    bounds: tuple[float, ...] = ()


TOPIC: Final = "topic"
PARTITION: Final = "partition"
OPERATION: Final = "operation"
STATUS: Final = "status"
REASON: Final = "reason"
FATE: Final = "fate"
CIRCUIT: Final = "circuit"
CAUSE: Final = "cause"
ANSWER: Final = "answer"
RESULT: Final = "result"
PART: Final = "part"

_OF_PARTITION: Final = (TOPIC, PARTITION)
_KAFKA: Final = {names.MESSAGING_SYSTEM: "kafka"}

# --- by the conventions -----------------------------------------------------------------------------------------
CONSUMED: Final = Instrument(
    "messaging.client.consumed.messages",
    "counter",
    "{message}",
    "Records that were read",
    (names.MESSAGING_DESTINATION,),
    {**_KAFKA, names.MESSAGING_OPERATION_NAME: "poll"},
)
PROCESS: Final = Instrument(
    "messaging.process.duration",
    "histogram",
    "s",
    "From when a record was read to when it was settled",
    (names.MESSAGING_DESTINATION, names.ERROR_TYPE),
    {**_KAFKA, names.MESSAGING_OPERATION_NAME: "process"},
    AGE_SECONDS,
)
SEND: Final = Instrument(
    "messaging.client.operation.duration",
    "histogram",
    "s",
    "Until brokers acknowledged what was written, or did not",
    (names.MESSAGING_DESTINATION, names.ERROR_TYPE),
    {**_KAFKA, names.MESSAGING_OPERATION_NAME: "send", names.MESSAGING_OPERATION_TYPE: "send"},
    REQUEST_SECONDS,
)
REQUEST: Final = Instrument(
    "http.client.request.duration",
    "histogram",
    "s",
    "Attempts at calls to Rokt",
    (names.URL_TEMPLATE, names.HTTP_STATUS, names.ERROR_TYPE),
    {names.HTTP_METHOD: "POST"},
    REQUEST_SECONDS,
)
SERVED: Final = Instrument(
    "http.server.request.duration",
    "histogram",
    "s",
    "Requests of Rokt's Transaction Export",
    (names.HTTP_METHOD, names.HTTP_ROUTE, names.HTTP_STATUS),
    bounds=REQUEST_SECONDS,
)
LEDGER: Final = Instrument(
    "db.client.operation.duration",
    "histogram",
    "s",
    "What the ledger's database was asked: `work` is a group of claims and settlements",
    (names.DB_OPERATION, names.ERROR_TYPE),
    bounds=STORE_SECONDS,
)
CPU: Final = Instrument("process.cpu.time", "counter", "s", "CPU time of this process", (names.CPU_MODE,))
MEMORY: Final = Instrument("process.memory.usage", "gauge", "By", "Resident memory of this process")

# --- events -----------------------------------------------------------------------------------------------------
SETTLED: Final = Instrument("rokt.events.settled", "counter", "{event}", "Records that are settled", (TOPIC, FATE))
AGE: Final = Instrument(
    "rokt.event.settle.duration",
    "histogram",
    "s",
    "From a record's timestamp to when it was settled",
    (TOPIC, FATE),
    bounds=AGE_SECONDS,
)
HELD: Final = Instrument("rokt.events.held", "counter", "{event}", "Events that met a defect of the worker", (TOPIC,))
IN_HAND: Final = Instrument("rokt.events.in_hand", "gauge", "{event}", "Records read and not settled", (TOPIC,))
UNDER_WAY: Final = Instrument("rokt.events.under_way", "gauge", "{event}", "Events begun and not settled")
LANES: Final = Instrument("rokt.lanes", "gauge", "{lane}", "Carts and orders that have an event in hand")
DEAD_LETTERS: Final = Instrument(
    "rokt.dead_letters", "counter", "{record}", "Dead letters written, by their source topic", (TOPIC, REASON)
)

# --- partitions -------------------------------------------------------------------------------------------------
ASSIGNED: Final = Instrument("rokt.partitions.assigned", "gauge", "{partition}", "Partitions of this member", (TOPIC,))
LAG: Final = Instrument(
    "rokt.partition.lag", "gauge", "{record}", "From what may be committed to the log's end", _OF_PARTITION
)
GAP: Final = Instrument(
    "rokt.partition.gap", "gauge", "{record}", "Records read that what may be committed has not passed", _OF_PARTITION
)
OLDEST: Final = Instrument(
    "rokt.partition.oldest.age", "gauge", "s", "Since the timestamp of the oldest record not settled", _OF_PARTITION
)
BLOCKED: Final = Instrument(
    "rokt.partition.blocked.duration", "gauge", "s", "How long its oldest event has been in hand", _OF_PARTITION
)
PAUSED: Final = Instrument(
    "rokt.partition.paused", "gauge", "", "1 while the partition is not read, for this reason", (*_OF_PARTITION, REASON)
)
RETENTION_LEFT: Final = Instrument(
    "rokt.worker.retention.left",
    "gauge",
    "s",
    "Until the oldest unprocessed record may be deleted by its topic's retention; absent where it is not known",
)
RECORDS_LOST: Final = Instrument(
    "rokt.worker.records.lost", "counter", "{record}", "Records that were deleted before they were read"
)

# --- calls to Rokt ----------------------------------------------------------------------------------------------
ATTEMPTS: Final = Instrument(
    "rokt.call.attempts",
    "counter",
    "{attempt}",
    "Attempts, by Rokt's answer: its HTTP status, `no-answer` or `not-connected`",
    (OPERATION, STATUS),
)
CALLS: Final = Instrument("rokt.calls.settled", "counter", "{call}", "Calls settled", (OPERATION, STATUS))
WAITED: Final = Instrument(
    "rokt.call.wait.duration",
    "histogram",
    "s",
    "How long a call that had to wait waited, and for what",
    (OPERATION, CAUSE),
    bounds=WAIT_SECONDS,
)
CALLS_WAITING: Final = Instrument("rokt.calls.waiting", "gauge", "{call}", "Calls that wait their turn", (OPERATION,))
CALLS_UNDER_WAY: Final = Instrument("rokt.calls.under_way", "gauge", "{call}", "Calls under way")
LIMIT: Final = Instrument(
    "rokt.calls.limit", "gauge", "{call}", "Calls that may be under way at once, as adapted to Rokt", (OPERATION,)
)
HELD_BACK: Final = Instrument(
    "rokt.calls.held_back", "gauge", "s", "For how long no call goes, as Rokt asked by Retry-After"
)
PACE: Final = Instrument(
    "rokt.calls.pace",
    "gauge",
    "{call}/s",
    "Calls a second that Rokt was found to take; absent where no bound was found",
)
CIRCUIT_OPEN: Final = Instrument(
    "rokt.circuit.open", "gauge", "", "1 while nothing but one call at a time goes for this reason", (CIRCUIT,)
)
CIRCUIT_SECONDS: Final = Instrument(
    "rokt.circuit.open.duration", "gauge", "s", "For how long the circuit has been open; 0: it is closed", (CIRCUIT,)
)

# --- transactions that Rokt sends -------------------------------------------------------------------------------
TRANSACTIONS: Final = Instrument(
    "rokt.transactions", "counter", "{transaction}", "Transactions that Rokt sent, by what it was answered", (RESULT,)
)

# --- the ledger, the worker itself ------------------------------------------------------------------------------
LEDGER_ANSWERS: Final = Instrument(
    "rokt.ledger.answers",
    "counter",
    "{answer}",
    "What the ledger answered to a call: `send` it, or what it knows against that",
    (ANSWER,),
)
IDLE: Final = Instrument("rokt.worker.idle", "gauge", "s", "Since the consumer's thread turned last, as /livez has it")
UNREADY: Final = Instrument("rokt.worker.unready", "gauge", "", "1 while it is not ready for this reason", (REASON,))
SPANS: Final = Instrument(
    "rokt.telemetry.spans", "counter", "{span}", "Spans that the collector took, or not", (RESULT,)
)
REPLAY_PLANNED: Final = Instrument("rokt.replay.planned", "gauge", "{record}", "Offsets that a replay is about")
REPLAY_PASSED: Final = Instrument("rokt.replay.passed", "gauge", "{record}", "Offsets that are behind it")
REPLAY_RECORDS: Final = Instrument(
    "rokt.replay.records", "gauge", "{record}", "What became of a replay's records", (PART,)
)
