"""Poison or outage: what the other carts' calls say of one that fails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.gate.others import AILING, CARTS, KEPT, MANY, QUIET_SECONDS, RUN, RUN_UNPROVEN, Failures, Latest, Rejections
from worker.gate.turn import Turn

ATTEMPTS = 8


class Told:
    """The latest calls, heard one after another; `poison` is a call that fails all the while."""

    def __init__(self) -> None:
        self.latest = Latest()
        self.admitted = 0
        self.poison = Turn("confirm", "poison")

    def begins(self) -> None:
        self.admitted += 1
        self.poison.first = self.admitted

    def others(self, *, good: int, bad: int = 0, recovered: int = 0, carts: int = 1000) -> None:
        kinds = [(False, True)] * recovered + [(False,)] * bad + [(True,)] * good
        for n, answers in enumerate(kinds):
            turn = Turn("confirm", f"cart-{n % carts}")
            for answer in answers:
                self.admitted += 1
                turn.number = self.admitted
                self.latest.heard(turn, self.admitted, good=answer)

    def blamed(self, strikes: int = ATTEMPTS, *, failures: int = 0, seconds: float = 0.0) -> bool:
        """After so many failures between which others were taken, or so many of any kind in so many seconds."""
        self.poison.strikes, self.poison.failures, self.poison.failing_since = strikes, failures, 100.0
        self.latest.heard(self.poison, self.admitted, good=False)
        return self.latest.blame(self.poison, ATTEMPTS, 100.0 + seconds)


@pytest.mark.parametrize(("good", "blamed"), [(0, False), (1, False), (2, True), (3, True), (50, True)])
def test_two_others_at_least_must_have_succeeded_while_it_failed(good: int, blamed: bool) -> None:
    told = Told()
    told.begins()
    told.others(good=good)
    assert told.blamed() is blamed


def test_two_calls_of_one_other_cart_are_not_two_others() -> None:
    told = Told()
    told.begins()
    told.others(good=30, carts=1)
    assert not told.blamed()


def test_its_own_carts_calls_say_nothing() -> None:
    told = Told()
    told.begins()
    for number in range(30):
        told.latest.heard(Turn("confirm", "poison"), number, good=True)
    assert not told.blamed()


def test_it_must_have_failed_often_enough() -> None:
    told = Told()
    told.begins()
    told.others(good=50)
    assert not told.blamed(ATTEMPTS - 1)


@pytest.mark.parametrize(("good", "blamed"), [(MANY - 1, False), (MANY, True)])
def test_where_no_more_others_come_it_takes_many_that_were_taken_in_its_time(good: int, blamed: bool) -> None:
    told = Told()
    told.others(good=50)
    told.begins()
    told.others(good=good)
    assert told.blamed(1, failures=ATTEMPTS, seconds=QUIET_SECONDS) is blamed


def test_where_no_more_others_come_it_takes_a_while_and_as_many_failures() -> None:
    told = Told()
    told.begins()
    told.others(good=50)
    assert not told.blamed(1, failures=ATTEMPTS, seconds=QUIET_SECONDS - 0.1)
    assert not told.blamed(1, failures=ATTEMPTS - 1, seconds=3600.0)


def test_where_no_more_others_come_none_of_them_may_have_failed() -> None:
    told = Told()
    told.begins()
    told.others(good=40, bad=1)
    assert not told.blamed(1, failures=1000, seconds=3600.0)


def test_whether_another_was_taken_since_is_told_by_when_its_attempt_set_out() -> None:
    told = Told()
    told.others(good=3)
    assert told.latest.taken_besides("poison", 2)
    assert not told.latest.taken_besides("poison", 3)
    assert not told.latest.taken_besides("cart-2", 2)
    told.others(good=0, bad=1)
    assert not told.latest.taken_besides("poison", 3)


def test_where_others_fail_it_is_not_to_blame_however_often_it_fails() -> None:
    told = Told()
    told.begins()
    told.others(good=20, bad=20)
    assert not told.blamed(10_000)


def test_those_that_succeeded_only_after_they_had_failed_count_as_failing() -> None:
    told = Told()
    told.begins()
    told.others(good=20, recovered=20)
    assert not told.blamed(10_000)


def test_those_that_fail_now_count_more_than_those_that_succeeded_before_it_began() -> None:
    told = Told()
    told.others(good=40)
    told.begins()
    told.others(good=4, bad=3)
    assert not told.blamed(10_000)


def test_another_poison_call_among_many_counts_once_however_often_it_fails() -> None:
    told = Told()
    told.begins()
    another = Turn("confirm", "another")
    told.others(good=20)
    for _ in range(100):
        told.latest.heard(another, told.admitted, good=False)
    assert told.blamed(ATTEMPTS)


def test_where_a_few_others_fail_too_it_must_fail_oftener_than_chance_would_have_it() -> None:
    told = Told()
    told.begins()
    told.others(good=40, recovered=8)
    assert not told.blamed(ATTEMPTS)
    assert told.blamed(2 * ATTEMPTS)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(1, 1000))
def test_where_more_than_a_quarter_of_the_latest_others_failed_nobody_is_ever_to_blame(
    good: int, bad: int, recovered: int, strikes: int
) -> None:
    told = Told()
    told.begins()
    told.others(good=good, bad=bad, recovered=recovered)
    latest = [True] * (recovered + bad) + [False] * good
    failed = latest[-(KEPT - 1) :]
    if sum(failed) > len(failed) * AILING:
        assert not told.blamed(strikes, failures=strikes, seconds=3600.0)
        assert not told.latest.thrive_besides("poison")


def test_only_the_latest_calls_are_kept() -> None:
    told = Told()
    told.others(good=0, bad=KEPT)
    assert not told.latest.thrive_besides("poison")
    told.others(good=KEPT)
    assert told.latest.thrive_besides("poison")


def test_where_nothing_is_known_of_others_they_are_taken_to_thrive() -> None:
    assert Latest().thrive_besides("poison")


def test_a_run_of_failures_of_several_carts_makes_an_outage() -> None:
    failures = Failures()
    told = [failures.failed(f"cart-{n}") for n in range(RUN_UNPROVEN)]
    assert told == [False] * (RUN_UNPROVEN - 1) + [True]


def test_failures_of_fewer_carts_than_that_are_theirs_however_many_there_are() -> None:
    failures = Failures()
    assert not any(failures.failed(f"cart-{n % (CARTS - 1)}") for n in range(1000))
    assert failures.failed("another")


def test_where_many_were_answered_it_takes_a_longer_run() -> None:
    failures = Failures()
    for _ in range(RUN):
        failures.answered()
    told = [failures.failed(f"cart-{n}") for n in range(RUN)]
    assert told == [False] * (RUN - 1) + [True]


def test_an_answer_begins_the_run_anew() -> None:
    failures = Failures()
    for n in range(1000):
        assert not failures.failed(f"cart-{n}")
        if n % (RUN_UNPROVEN - 1) == 0:
            failures.answered()


def test_the_last_so_many_of_different_carts_were_rejected() -> None:
    rejections = Rejections(50)
    assert [rejections.settled(f"cart-{n}", rejected=True) for n in range(50)] == [False] * 49 + [True]


def test_one_cart_that_is_rejected_again_and_again_counts_once() -> None:
    rejections = Rejections(50)
    assert not any(rejections.settled(f"cart-{n % 49}", rejected=True) for n in range(1000))


def test_one_that_was_not_rejected_begins_the_count_anew() -> None:
    rejections = Rejections(50)
    for n in range(1000):
        assert not rejections.settled(f"cart-{n}", rejected=n % 50 != 0)


def test_a_limit_of_zero_is_never_reached_and_keeps_nothing() -> None:
    rejections = Rejections(0)
    assert not any(rejections.settled(f"cart-{n}", rejected=True) for n in range(1000))
    assert not rejections._carts
