"""From a transaction to its record: once, and answered only when brokers have acknowledged it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final, Protocol

from opentelemetry.trace import Span

from worker.errors import DeliveryFailed, LedgerUnavailable, RegistryUnavailable
from worker.ledger.entering import Busy, Known, Mine
from worker.record import Headers
from worker.retry import Backoff
from worker.stream.publisher import Publisher
from worker.surroundings import Surroundings
from worker.telemetry.tracing import written
from worker.transactions.answers import CREATED, DUPLICATE, Reply, later, not_stored, refused
from worker.transactions.entrance import Asked, Entrance
from worker.transactions.transaction import Transaction

AGAIN: Final = Backoff(0.02, 0.5)


class Format(Protocol):
    """How transactions are written. Raises RegistryUnavailable while a registry is needed and cannot be had."""

    async def encode(self, transaction: Transaction, received_at: datetime) -> bytes: ...


class Heard(Protocol):
    """Who is told what a request found."""

    def __call__(self, *, broker: bool | None = None, ledger: bool | None = None) -> None: ...


class Recorder:
    """`patient_seconds` is how long a request waits for another one that has the same transaction under way."""

    def __init__(
        self,
        entrance: Entrance,
        publisher: Publisher,
        format_: Format,
        *,
        topic: str,
        patient_seconds: float,
        around: Surroundings,
        heard: Heard,
    ) -> None:
        self._entrance = entrance
        self._publisher = publisher
        self._format = format_
        self._topic = topic
        self._patient_seconds = patient_seconds
        self._around = around
        self._heard = heard

    async def record(self, transaction: Transaction, baggage: Headers, parent: Span) -> Reply:
        """What its sender is answered."""
        ticket = self._entrance.ticket(transaction.digest)
        until = self._around.clock() + self._patient_seconds
        looks = 0
        while True:
            try:
                claimed = await self._entrance.claim(ticket)
            except LedgerUnavailable:
                self._heard(ledger=False)
                self._entrance.release(ticket)  # the answer may be all that was lost
                return not_stored("ledger", "what was entered before cannot be looked up now")
            self._heard(ledger=True)
            match claimed:
                case Known():
                    return DUPLICATE
                case Mine():
                    return await self._produce(ticket, transaction, baggage, parent)
                case Busy():
                    looks += 1
                    if self._around.clock() >= until:
                        return later("under-way", "the same transaction is being entered", 1)
                    await asyncio.sleep(AGAIN.ceiling(looks))

    async def _produce(self, ticket: Asked, transaction: Transaction, baggage: Headers, parent: Span) -> Reply:
        """Cut off before brokers have answered, nobody knows whether it is written: the claim runs out by itself."""
        began = self._around.clock()
        failed = ""
        try:
            value = await self._format.encode(transaction, self._around.now())
            with self._around.tracing.send(parent, self._topic) as sending:
                place = await self._publisher.publish(
                    self._topic,
                    key=transaction.identity.encode(),
                    value=value,
                    headers=self._around.tracing.carried(sending, baggage),
                )
                written(sending, *place)
        except (DeliveryFailed, RegistryUnavailable) as error:
            failed = type(error).__name__
            self._entrance.release(ticket)
            if isinstance(error, DeliveryFailed) and error.too_large:
                return refused(413, "too-large", "its record is larger than the topic takes")
            if isinstance(error, RegistryUnavailable):
                return not_stored("registry", "the schema registry does not do what it is asked now")
            self._heard(broker=False)
            return not_stored("broker", "the brokers do not take it now")
        finally:
            self._around.meters.send.record((self._topic, failed), self._around.clock() - began)
        self._heard(broker=True)
        await self._entrance.entered(ticket)
        return CREATED
