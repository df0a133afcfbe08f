"""What comes late of a call that was begun again since says nothing of how it stands now."""

from __future__ import annotations

from msgspec.structs import replace

from infra.ledger_clerk import ORIGIN, confirm, item, settled
from worker.keys import again
from worker.ledger.entries import Answer, Ask, Disputed, Done, Entry, GiveBack, Published, Redo, Send, Settle, Wait
from worker.ledger.page import Page
from worker.mapping import Call
from worker.telemetry.names import Status
from worker.verdict import Death

CALL = confirm("order-1", "r-1")
GIVEN_UP = Death("exhausted", "Rokt answered 429", attempts=3, operation="confirm", key=CALL.key)


class Book:
    """A ledger in one page, asked by several; its clock goes on by itself."""

    def __init__(self) -> None:
        self.page = Page(1, frozenset({"anna", "bert"}), {}, {}, {})
        self._token = 0

    @property
    def entry(self) -> Entry:
        return self.page.entries[CALL.key]

    def ask(self, owner: str, redo: Redo | None = None, call: Call = CALL) -> tuple[Ask, Answer]:
        self._token += 1
        ask = Ask(call, ORIGIN, owner, self._token, redo)
        answer = self.page.work(ask)
        assert isinstance(answer, Send | Wait | Done | Disputed)
        return ask, answer

    def settle(self, ask: Ask, status: Status, redo: int = 0, death: Death | None = None) -> Entry:
        self.page.now_ms += 1
        entry = self.page.work(Settle(ask, settled(CALL, status, attempts=3, death=death), redo))
        assert isinstance(entry, Entry)
        return entry

    def publish(self, settled_at_ms: int | None = None) -> None:
        self.page.work(Published(CALL.key, settled_at_ms))

    def done(self, owner: str, status: Status, death: Death | None = None) -> tuple[Ask, Entry]:
        ask, _ = self.ask(owner)
        entry = self.settle(ask, status, death=death)
        self.publish()
        return ask, entry

    def lapse(self, owner: str) -> None:
        self.page.live -= {owner}


def test_a_rejection_that_comes_twice_does_not_settle_what_was_begun_again() -> None:
    book = Book()
    first, _ = book.done("anna", "rejected")
    redo, _ = book.ask("bert", Redo(CALL.key))
    late = book.settle(first, "rejected")
    assert (late.status, late.redo, late.owner) == (None, 1, "bert")
    assert book.settle(redo, "succeeded", redo=1).status == "succeeded"


def test_a_success_of_a_key_that_was_rejected_since_does_not_settle_its_redo() -> None:
    book = Book()
    slow, _ = book.ask("anna")
    book.lapse("anna")
    quick, _ = book.ask("bert")
    book.settle(quick, "rejected")
    book.publish()
    book.ask("bert", Redo(CALL.key))
    assert book.settle(slow, "succeeded").status is None


def test_who_has_lost_a_call_cannot_give_it_up() -> None:
    book = Book()
    first, _ = book.done("anna", "dead", GIVEN_UP)
    redo, _ = book.ask("bert", Redo(CALL.key))
    assert book.settle(first, "dead", death=GIVEN_UP).status is None
    assert book.settle(redo, "succeeded").status == "succeeded"


def test_who_has_lost_a_call_and_hears_that_it_is_done_settles_it() -> None:
    book = Book()
    first, _ = book.ask("anna")
    book.lapse("anna")
    book.ask("bert")
    assert book.settle(first, "succeeded").status == "succeeded"


def test_what_is_written_of_an_earlier_outcome_says_nothing_of_the_next() -> None:
    book = Book()
    _, first = book.done("anna", "rejected")
    redo, _ = book.ask("bert", Redo(CALL.key))
    second = book.settle(redo, "rejected", redo=1, death=GIVEN_UP)
    book.publish(first.settled_at_ms)
    assert (book.entry.published, book.entry.death) == (False, GIVEN_UP)
    book.publish(second.settled_at_ms)
    assert (book.entry.published, book.entry.death) == (True, None)


def test_what_is_given_back_late_does_not_give_back_what_was_begun_again() -> None:
    book = Book()
    first, _ = book.done("anna", "rejected")
    book.ask("bert", Redo(CALL.key))
    book.page.work(GiveBack(first, 1, maybe_sent=True))
    assert book.entry.owner == "bert"


def test_what_is_superseded_belongs_to_who_was_told_so() -> None:
    book = Book()
    ask, _ = book.done("anna", "rejected")
    book.page.orders["order-1"] = replace(book.page.orders["order-1"], called_off=frozenset({item("r-1")}))
    superseding = Ask(CALL, ORIGIN, "bert", ask.token, Redo(CALL.key))
    answer = book.page.work(superseding)
    assert isinstance(answer, Done)
    assert (answer.entry.status, answer.entry.owner) == ("superseded", "bert")


def test_a_disputed_call_names_the_key_that_it_was_last_sent_with() -> None:
    book = Book()
    book.done("anna", "rejected")
    book.ask("bert", Redo(CALL.key))
    book.lapse("bert")
    _, answer = book.ask("anna", call=confirm("order-1", "r-1", merchant="another"))
    assert isinstance(answer, Disputed)
    assert answer.entry.sent_key == again(CALL.key, 1)
