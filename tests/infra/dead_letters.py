"""`rokt-worker dlq` as a person or a program uses it, and its JSON: nothing is missing, nothing else is there."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeVar

import msgspec
from click.testing import CliRunner
from msgspec import Struct

from infra.commands import Said, rokt_worker
from infra.worker import Worker
from worker.commands.dlq import dlq

T = TypeVar("T")
Words = str | None
State = Literal["open", "redriven", "discarded"]


class Shape(Struct, forbid_unknown_fields=True, rename="camel"):
    """Every field is required."""


class States(Shape):
    open: int
    redriven: int
    discarded: int


class Kind(Shape):
    topic: str
    reason: str
    operation: Words
    http_status: int | None
    open: int
    redriven: int
    discarded: int
    oldest: datetime
    newest: datetime
    oldest_seconds: int
    newest_seconds: int
    mend: str


class Stranger(Shape):
    place: str
    wrong: str


class Counted(Shape):
    states: States
    kinds: list[Kind]
    other_groups: dict[str, int]
    foreign: int
    first_foreign: list[Stranger]


class Row(Shape):
    place: str
    state: State
    failed_at: datetime
    reason: str
    operation: Words
    http_status: int | None
    cart_id: Words
    order_id: Words
    idempotency_key: Words
    attempts: int
    redrives: int
    trace_id: Words
    trace_link: Words


class Listed(Counted):
    records: int
    letters: list[Row]


class Header(Shape):
    name: str
    value: Words
    bytes: int


class Item(Struct, rename="camel"):
    cart_item_id: Words
    item_reservation_id: Words
    catalog_item_id: Words = None
    quantity: int | None = None


class Event(Shape):
    type: str
    event_id: str
    occurred_at: datetime
    cart_id: Words
    order_id: Words
    has_session: bool | None
    items: list[Item]


class Entry(Shape):
    idempotency_key: str
    operation: str
    status: Words
    http_status: int | None
    attempts: int
    begun_at: datetime
    settled_at: datetime | None
    outcome_published: bool
    redone: int


class Mark(Shape):
    state: State
    at: datetime
    result: Words
    trace_id: Words
    trace_link: Words
    by: Words
    because: Words


class Letter(Row):
    message: str
    exception: Words
    answer: Words
    source: str
    published_at: datetime | None
    group: str
    key: Words
    key_bytes: int | None
    value_bytes: int
    headers: list[Header]
    event: Event | None
    unreadable: Words
    ledger: list[Entry]
    mark: Mark | None
    mend: str


class LeftAlone(Shape):
    redriven_too_often: int
    done_meanwhile: int
    taken_by_another: int


class Redriven(Shape):
    dry_run: bool
    ended: Literal["done", "stopped", "timed out", "failed"]
    why: Words
    waited_for: list[str]
    letters: int
    results: dict[str, int]
    left_alone: LeftAlone
    unsettled: int
    defects: int
    before: Counted

    @property
    def balances(self) -> bool:
        left = self.left_alone
        alone = left.redriven_too_often + left.done_meanwhile + left.taken_by_another
        return self.letters == sum(self.results.values()) + alone + self.unsettled + self.defects


class Discarded(Shape):
    dry_run: bool
    discarded: int
    by: str
    because: str
    before: Counted


class DeadLetters:
    """The commands with a worker's own settings. `personal` must not be in what any of them says."""

    def __init__(self, worker: Worker, personal: tuple[str, ...] = ()) -> None:
        self._worker = worker
        self._personal = personal

    def list(self, *arguments: str) -> Listed:
        return self._as(Listed, "list", "--each", *arguments)

    def show(self, place: str) -> Letter:
        return self._as(Letter, "show", place)

    def redrive(self, *arguments: str, code: int = 0, **settings: str) -> Redriven:
        told = self._as(Redriven, "redrive", *arguments, code=code, **settings)
        assert told.dry_run or told.balances, told
        return told

    def discard(self, *arguments: str) -> Discarded:
        return self._as(Discarded, "discard", *arguments)

    def said(self, *arguments: str, **settings: str) -> Said:
        """In words. A redrive, which ends its process, has one of its own."""
        given = self._worker.settings | settings
        if arguments[0] == "redrive" and "--dry-run" not in arguments:
            said = rokt_worker("dlq", *arguments, settings=given, folder=self._worker.folder)
        else:
            done = CliRunner().invoke(dlq, arguments, env=given)
            assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
            said = Said(done.exit_code, done.stdout, done.stderr)
        assert not [word for word in self._personal if word in said.out + said.err]
        return said

    def _as(self, shape: type[T], *arguments: str, code: int = 0, **settings: str) -> T:
        said = self.said(*arguments, "--json", **settings)
        assert said.code == code, said
        return msgspec.json.decode(said.out, type=shape)


def succeeded(told: Redriven) -> dict[str, int]:
    """The results that are not 0."""
    return {name: count for name, count in told.results.items() if count}


def command(worker: Worker, *arguments: str) -> list[str]:
    """A command to be started."""
    return [*worker.command[:-1], "dlq", *arguments]
