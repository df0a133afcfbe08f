"""Idempotency keys: the same call has the same key, everywhere and for ever; any other call has another."""

import hashlib
import json
import subprocess
import sys
from uuid import RFC_4122, UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from worker.keys import cancel_key, confirm_key, release_key

quick = settings(deadline=None, max_examples=60)

ids = st.text(min_size=1, max_size=12)
items = st.lists(st.tuples(ids, st.none() | ids), max_size=6)
some_items = st.lists(st.tuples(ids, st.none() | ids), min_size=1, max_size=6)

ONE = ("item-1", "rokt_item_reservation_id.1")
TWO = ("item-2", None)


@pytest.mark.parametrize(
    ("key", "pinned"),
    [
        (confirm_key("cart-1", "order-1", [ONE, TWO]), "370a9bfe-0b99-4436-8061-efa2d08c2a0a"),
        (confirm_key("cart-1", "order-1", []), "8e64767b-aa79-4dea-a720-a04c61653704"),
        (release_key("cart-1", [ONE]), "6517255d-8887-4d8d-8b89-c86b0430f7d0"),
        (cancel_key("order-1", "rokt_item_reservation_id.1"), "33e9b4ff-b279-4412-b3f2-42c3353c9d95"),
        (confirm_key("Käse-☃", 'o/"1', [("ä", None)]), "c4dd5a39-fcdb-4005-b377-8595be7d5f2b"),
    ],
)
def test_a_key_never_changes_from_one_version_of_the_worker_to_the_next(key: str, pinned: str) -> None:
    assert key == pinned


@quick
@given(ids, ids, items)
def test_a_key_is_a_uuid_in_the_form_of_version_4(cart: str, order: str, of: list[tuple[str, str | None]]) -> None:
    for key in (confirm_key(cart, order, of), release_key(cart, of), cancel_key(order, cart)):
        assert str(UUID(key)) == key
        assert UUID(key).version == 4
        assert UUID(key).variant == RFC_4122


@quick
@given(ids, ids, st.data())
def test_items_in_another_order_or_named_twice_give_the_same_key(cart: str, order: str, data: st.DataObject) -> None:
    of = data.draw(some_items)
    shuffled = data.draw(st.permutations(of + of[:1]))
    assert confirm_key(cart, order, of) == confirm_key(cart, order, shuffled)
    assert release_key(cart, of) == release_key(cart, shuffled)


@quick
@given(ids, ids, items, ids)
def test_another_cart_gives_another_key(cart: str, order: str, of: list[tuple[str, str | None]], other: str) -> None:
    assume(cart != other)
    assert confirm_key(cart, order, of) != confirm_key(other, order, of)
    assert release_key(cart, of) != release_key(other, of)


@quick
@given(ids, ids, items, ids)
def test_another_order_gives_another_key(cart: str, order: str, of: list[tuple[str, str | None]], other: str) -> None:
    assume(order != other)
    assert confirm_key(cart, order, of) != confirm_key(cart, other, of)
    assert cancel_key(order, cart) != cancel_key(other, cart)


@quick
@given(ids, ids, items, items)
def test_other_items_give_another_key(
    cart: str, order: str, of: list[tuple[str, str | None]], others: list[tuple[str, str | None]]
) -> None:
    assume(set(of) != set(others))
    assert confirm_key(cart, order, of) != confirm_key(cart, order, others)
    assert release_key(cart, of) != release_key(cart, others)


@quick
@given(ids, ids, ids)
def test_another_reservation_gives_a_cancel_another_key(order: str, reservation: str, other: str) -> None:
    assume(reservation != other)
    assert cancel_key(order, reservation) != cancel_key(order, other)


@quick
@given(ids, ids, ids)
def test_another_operation_gives_another_key(cart: str, order: str, reservation: str) -> None:
    of = [(None, reservation)]
    keys = {confirm_key(cart, order, of), release_key(cart, of), release_key(order, of), cancel_key(order, reservation)}
    assert len(keys) == (4 if cart != order else 3)


@quick
@given(ids, ids)
def test_cart_and_order_are_not_interchangeable(cart: str, order: str) -> None:
    assume(cart != order)
    assert confirm_key(cart, order, []) != confirm_key(order, cart, [])


def test_ids_that_run_together_alike_do_not_share_a_key() -> None:
    assert confirm_key("a", "bc", []) != confirm_key("ab", "c", [])
    assert confirm_key('a","b', "c", []) != confirm_key("a", 'b","c', [])
    assert release_key("c", [("a", "b")]) != release_key("c", [("a", None), ("b", None)])
    assert release_key("c", [("ab", None)]) != release_key("c", [("a", "b")])


def test_an_items_cart_id_and_its_reservation_are_not_interchangeable() -> None:
    assert release_key("c", [("a", "b")]) != release_key("c", [("b", "a")])
    assert release_key("c", [(None, "a")]) != release_key("c", [("a", None)])


def test_another_process_makes_the_same_keys() -> None:
    script = (
        "import json; from worker.keys import *; "
        "items = {('item-1', 'r-1'), ('item-2', None), ('item-3', 'r-3')}; "
        "print(json.dumps([confirm_key('c', 'o', items), release_key('c', items), cancel_key('o', 'r-1')]))"
    )
    environment = {"PYTHONHASHSEED": "4711", "PYTHONPATH": ":".join(filter(None, sys.path))}
    told = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    of = [("item-1", "r-1"), ("item-2", None), ("item-3", "r-3")]
    assert json.loads(told.stdout) == [confirm_key("c", "o", of), release_key("c", of), cancel_key("o", "r-1")]


def test_what_a_key_is_made_of_is_written_as_the_first_keys_were() -> None:
    """Which json.dumps wrote, without spaces and without escaping what need not be."""
    every = [chr(n) for n in range(0x11000) if not 0xD800 <= n < 0xE000]
    for part in (*every[:0x100], *("".join(every[first : first + 0x100]) for first in range(0, len(every), 0x100))):
        meaning = json.dumps(["rokt-worker/1", "cancel", ["o"], [[part]]], ensure_ascii=False, separators=(",", ":"))
        expected = str(UUID(bytes=hashlib.sha256(meaning.encode()).digest()[:16], version=4))
        assert cancel_key("o", part) == expected, hex(ord(part[0]))
