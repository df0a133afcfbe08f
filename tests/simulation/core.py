"""The way of an event through one process, put together as worker/wiring.py does, on simulated ways out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.trace import NoOpTracer
from structlog.typing import FilteringBoundLogger

from simulation.disk import SimulatedStore
from simulation.history import SOURCES
from simulation.processes import Process
from simulation.publisher import SimulatedPublisher
from simulation.rokt import Transport
from worker.calling import Calling
from worker.decode.decoder import Decoder
from worker.events import event_type
from worker.gate.gate import Gate
from worker.gate.traffic import Rules
from worker.ledger.ledger import Ledger, Terms
from worker.parts import LEASE_OF_TIMEOUT
from worker.pipeline import Pipeline
from worker.retry import Backoff
from worker.rokt.access import Access, Timeouts
from worker.rokt.client import RoktClient
from worker.settle import Destinations, Settlement
from worker.stream.outcomes import JsonOutcomes
from worker.stream.publisher import Publisher
from worker.surroundings import Surroundings
from worker.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from simulation.world import World

GROUP = "rokt-worker"
OUTCOMES = "rokt-outcomes"
SUFFIX = ".dlq"
CLOSE_SECONDS = 5.0
MAX_RETRY_AFTER_SECONDS = 5.0
URL = "http://rokt.example"
PATHS = {
    "confirm": "/v1/Cart/confirm",
    "release": "/v1/Cart/release",
    "cancel": "/v1/Confirmation/cancel",
    "placements": "/v1/Placements/any",
}


@dataclass(frozen=True, slots=True)
class Core:
    """What carries out events in one process."""

    gate: Gate
    ledger: Ledger
    pipeline: Pipeline


def assemble(world: World, process: Process, log: FilteringBoundLogger, *, rejections: int) -> Core:
    """A core for one process. `rejections` of so many carts in a row are a fault of set-up."""
    conditions = world.conditions
    clock, chance = world.loop.time, world.chance.random
    tracing = Tracing(NoOpTracer(), group=GROUP, link_producer=False)
    rules = Rules(
        max_concurrency=conditions.concurrency,
        max_attempts=conditions.max_attempts,
        rejections=rejections,
        probe=Backoff(conditions.probe, 4.0 * conditions.probe),
        denied=Backoff(0.5, 4.0),
    )
    gate = Gate(rules, clock=clock, notify=lambda _: None)
    around = Surroundings(tracing, Backoff(0.1, 2.0), chance, clock, world.now, log)
    store = SimulatedStore(world.disk, process, world.chance, parallel=conditions.parallel)
    lease = conditions.timeout * LEASE_OF_TIMEOUT + 1.0
    ledger = Ledger(store, Terms(process.name, lease, conditions.group, 30, 100, 60.0), around)
    publisher = SimulatedPublisher(
        process,
        world.broker,
        loop=world.loop,
        spawn=world.spawn,
        chance=world.chance,
        delivery=lambda: world.delivery,
    )
    settlement = Settlement(cast("Publisher", publisher), JsonOutcomes(), Destinations(OUTCOMES, SUFFIX, GROUP), around)
    calling = Calling(
        ledger=ledger,
        client=RoktClient(Transport(world.rokt, process), _access(conditions.timeout), tracing, world.now),
        gate=gate,
        settlement=settlement,
        attempt_seconds=conditions.timeout,
        around=around,
    )
    pipeline = Pipeline(
        decoder=Decoder({topic: event_type(topic) for topic in SOURCES}, None),
        ledger=ledger,
        calling=calling,
        settlement=settlement,
        cancel_wait_seconds=conditions.cancel_wait,
        confirms_wait=lambda: gate.holds_up("confirm"),
        around=around,
    )
    return Core(gate, ledger, pipeline)


def _access(timeout: float) -> Access:
    return Access(
        urls=cast("Any", {name: URL + path for name, path in PATHS.items()}),
        api_key="key",
        tag_id="tag",
        accept_language=None,
        idempotency_key="bare",
        timeouts=Timeouts(total=timeout, connect=timeout, write=timeout),
        max_response_bytes=1_000_000,
        max_retry_after_seconds=MAX_RETRY_AFTER_SECONDS,
    )
