"""A worker's life in which every field holds something private and nearly everything goes wrong; and what it said."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from infra import canaries
from infra.brokers import Broker, Record
from infra.events import abandoned, cancelled, completed, encoded
from infra.listening import Listening
from infra.ports import free_port
from infra.quoting_rokt import QuotingRokt
from infra.worker import Worker, until

SHORT: Final = {
    "WORKER_ROKT__API_KEY": canaries.API_KEY,
    "WORKER_ROKT__TIMEOUT_SECONDS": "0.5",
    "WORKER_RETRY__MAX_ATTEMPTS": "3",
    "WORKER_RETRY__DENIED_MAX_SECONDS": "0.2",
    "WORKER_CIRCUIT__PROBE_INITIAL_SECONDS": "0.1",
    "WORKER_CIRCUIT__PROBE_MAX_SECONDS": "0.3",
    "WORKER_KAFKA__STALL_SECONDS": "0.3",
    "WORKER_LOG__LEVEL": "debug",
    "OTEL_EXPORTER_OTLP_HEADERS": f"x-otlp-key={canaries.OTLP_KEY}",
    "OTEL_BSP_SCHEDULE_DELAY": "100",
    "OTEL_METRIC_EXPORT_INTERVAL": "300",
}
PROPERTIES: Final = {"sasl.username": "shop", "sasl.password": canaries.SASL_PASSWORD, "debug": "conf,security"}
PAGES: Final = ("/", "/livez", "/readyz", "/metrics")
REFUSED: Final = {
    "refused": "rejected",
    "wrong": "rejected",
    "moved": "rejected",
    "twice": "rejected",
    "partly": "item-rejected",
}
TAKEN: Final = ("fine", "busy", "gone", "slow", "mumbled")
INVALID: Final[tuple[dict[str, Any], ...]] = (
    {"cartId": {"of": canaries.MALFORMED}},
    {"roktSessionId": f"{canaries.MALFORMED}\n"},
    {"occurredAt": canaries.MALFORMED},
    {"attributes": {canaries.MALFORMED: [canaries.MALFORMED]}},
    {"items": [{"cartItemId": "i", "quantity": canaries.MALFORMED, canaries.MALFORMED: 1}]},
    {"items": [{"cartItemId": "i", "quantity": 1, "unitPrice": f"{canaries.UNIT_PRICE}00001"}]},
    {"items": [{"cartItemId": canaries.MALFORMED}]},
    {"eventType": canaries.MALFORMED},
)
UNDECODABLE: Final = (
    canaries.MALFORMED.encode(),
    b"\0\0\0\0\1" + canaries.MALFORMED.encode(),
    canaries.MALFORMED.encode() + b"\xff",
    f'{{"{canaries.MALFORMED}": "{canaries.UNIT_PRICE}'.encode(),
    f'"{canaries.MALFORMED}"'.encode(),
    b'{"a":' * 5_000 + canaries.MALFORMED.encode(),
)


def private(cart: str, **more: Any) -> dict[str, Any]:
    """A checkout with all that may be known of a customer."""
    bought = completed(
        cart,
        attributes=canaries.ATTRIBUTES,
        roktSessionId=canaries.SESSION,
        locale=canaries.LOCALE,
        payPalOrderId=canaries.PAYPAL_ORDER,
        merchantId=canaries.MERCHANT,
    )
    prices = {"unitPrice": canaries.UNIT_PRICE, "totalPrice": float(canaries.TOTAL_PRICE)}
    return bought | {"items": [item | prices for item in bought["items"]]} | more


@contextmanager
def private_story(broker: Broker, folder: Path) -> Iterator[PrivateStory]:
    """One that has not begun yet."""
    quoting = QuotingRokt()
    with Listening(quoting) as rokt, Listening() as otlp:
        story = PrivateStory(broker, folder, rokt, quoting, otlp)
        try:
            yield story
        finally:
            story.worker.end()
            quoting.closing.set()


class PrivateStory:
    """One worker, its Rokt and its collector. `said` is what it said, by where."""

    def __init__(self, broker: Broker, folder: Path, rokt: Listening, quoting: QuotingRokt, otlp: Listening) -> None:
        self.broker, self.rokt, self.quoting, self.otlp = broker, rokt, quoting, otlp
        self.port = free_port()
        telemetry = {"WORKER_HEALTH__PORT": str(self.port), "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url}
        self.worker = Worker(broker, rokt.url, folder, **SHORT, **telemetry)
        self.worker.settings["WORKER_KAFKA__PROPERTIES"] = json.dumps(broker.client_settings | PROPERTIES)
        self.worker.create_topics()
        self.said: dict[str, str] = {}
        self.letters: list[Record] = []
        self.outcomes: list[Record] = []
        self._bought = 0

    def live(self) -> None:
        """From the first event to the end of the process."""
        self._be_refused()
        self._settle_all()
        self._follow_up()
        assert self.worker.all_committed()
        self._look("in the end")
        assert self.worker.stop() == 0
        self._listen()

    def buy(self, cart: str, **more: Any) -> None:
        self._put(self.worker.completed, encoded(private(cart, **more)))

    def _be_refused(self) -> None:
        """The credentials are not taken at first."""
        for cart in (*TAKEN, *REFUSED):
            self.buy(cart)
        self.worker.start()
        assert until(lambda: len(self.rokt.heard) > len(TAKEN) + len(REFUSED))
        self._look("while refused")
        self.quoting.locked = False

    def _settle_all(self) -> None:
        for value in (*UNDECODABLE, *(encoded(private("invalid") | wrong) for wrong in INVALID), None):
            self._put(self.worker.completed, value)
        self.buy("fine-odd", locale=f"{canaries.MALFORMED} odd\r\nx: y")
        want = len(REFUSED) + len(UNDECODABLE) + len(INVALID)
        assert len(self._dead(self.worker.completed, want)) == want
        assert self.worker.read_outcomes(len(TAKEN) + len(REFUSED) + 1)

    def _follow_up(self) -> None:
        """What was bought is cancelled, abandoned, bought again, also at another price; and one call is poison."""
        personal: dict[str, Any] = {"locale": canaries.LOCALE, "attributes": canaries.ATTRIBUTES}
        personal["roktSessionId"] = canaries.SESSION
        self.buy("fine")
        self.buy("fine", items=[item | {"unitPrice": "1"} for item in private("fine")["items"]])
        self._put(self.worker.abandoned, encoded(abandoned("busy", **personal)))
        self._put(self.worker.abandoned, encoded(abandoned("fine-left", **personal)))
        self._put(self.worker.cancelled, encoded(cancelled("gone", **personal)))
        self._put(self.worker.cancelled, encoded(cancelled("nobody", items=0, **personal)))
        assert self._dead(self.worker.cancelled, 1)
        before = len(self._dead(self.worker.completed, 1))
        self.buy("poison")
        assert until(lambda: self._buy_another() and len(self._dead(self.worker.completed, 1)) > before)

    def _buy_another(self) -> bool:
        for _ in range(10):
            self._bought += 1
            self.buy(f"fine-{self._bought}")
        return True

    def _put(self, topic: str, value: bytes | None) -> None:
        self.broker.produce(topic, value, key=canaries.KEY, headers=canaries.HEADERS)

    def _dead(self, source: str, want: int) -> list[Record]:
        return self.broker.read(f"{source}.dlq", want, 30)

    def _look(self, when: str) -> None:
        """At every page, as probes and people do."""
        for page in PAGES:
            self.said[f"{page} {when}"] = httpx.get(f"http://127.0.0.1:{self.port}{page}", trust_env=False).text

    def _listen(self) -> None:
        self.said["the log"] = self.worker.output()
        self.said["the spans"] = self._exported("/v1/traces", ExportTraceServiceRequest)
        self.said["the metrics"] = self._exported("/v1/metrics", ExportMetricsServiceRequest)
        with closing(sqlite3.connect(self.worker.folder / "ledger.db")) as ledger:
            self.said["the ledger"] = "\n".join(ledger.iterdump())
        self.outcomes = self.broker.read(self.worker.outcomes, 1)
        for n, outcome in enumerate(self.outcomes):
            carried = [header for header in outcome.headers if header[0] != "baggage"]  # which goes on as it came
            self.said[f"outcome {n}"] = f"{outcome.key!r} {outcome.value!r} {carried}"
        for topic in (self.worker.completed, self.worker.cancelled):
            self.letters += self._dead(topic, 1)
        for n, letter in enumerate(self.letters):
            added = [header for header in letter.headers[len(canaries.HEADERS) :] if header[0] != "dlq.http.body"]
            self.said[f"dead letter {n}"] = str(added)

    def _exported(self, path: str, form: Any) -> str:
        return "\n".join(str(form.FromString(heard.body)) for heard in self.otlp.heard if heard.path == path)
