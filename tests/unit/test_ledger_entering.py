"""What a group that claims transactions is answered, whatever the others do meanwhile."""

from worker.ledger.entering import Busy, Known, Mine, answers, first_asked, free

NOW = 1_800_000_000_000
A, B, C, D = (bytes([n]) * 32 for n in range(4))


def test_the_first_who_asks_is_the_one_who_claims_and_the_digests_are_in_order() -> None:
    firsts = first_asked([(C, "anna"), (A, "bert"), (C, "carl"), (B, "dora"), (A, "emil")])
    assert list(firsts.items()) == [(A, "bert"), (B, "dora"), (C, "anna")]


def test_a_claim_is_over_at_its_last_moment_and_what_is_entered_is_never_free() -> None:
    assert free([A, B, C, D], {A: NOW, B: NOW + 1, C: None}, NOW) == [A, D]


def test_what_is_neither_claimed_nor_seen_was_claimed_by_another_in_the_same_moment() -> None:
    told = answers([(A, "anna"), (B, "anna")], {A}, {}, NOW, 30.0)
    assert told == [Mine(), Busy(30.0)]


def test_what_another_took_over_in_the_same_moment_may_be_asked_for_again_at_once() -> None:
    told = answers([(A, "anna"), (B, "anna"), (C, "anna")], set(), {A: NOW - 5, B: NOW + 1_500, C: None}, NOW, 30.0)
    assert told == [Busy(0.0), Busy(1.5), Known()]


def test_a_claim_of_no_time_is_still_one_askers_alone_in_its_group() -> None:
    assert answers([(A, "anna"), (A, "bert")], {A}, {A: NOW - 5}, NOW, 0.0) == [Mine(), Busy(0.0)]
