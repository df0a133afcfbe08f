"""What a URL of a ledger in PostgreSQL says, and that nothing tells its password."""

import asyncpg
import pytest

from worker.errors import LedgerUnavailable, SettingsError
from worker.ledger.postgres_errors import together, unavailable
from worker.ledger.postgres_url import address

URL = "postgresql://user:s%40cret@one.example:5433,two.example/shop?sslmode=require"


def test_there_is_a_url_for_each_host_and_it_is_to_take_writes() -> None:
    rest = "sslmode=require&target_session_attrs=read-write"
    assert address(URL).urls == (
        f"postgresql://user:s%40cret@one.example:5433/shop?{rest}",
        f"postgresql://user:s%40cret@two.example/shop?{rest}",
    )


def test_what_is_asked_of_the_session_is_left_as_it_is() -> None:
    [url] = address("postgresql:///shop?host=/run/postgresql&target_session_attrs=any&search_path=ledger").urls
    assert url == "postgresql:///shop?host=%2Frun%2Fpostgresql&target_session_attrs=any&search_path=ledger"


def test_a_pooler_is_ours_to_know() -> None:
    found = address("postgres://h/d?pgbouncer=true")
    assert found.pooler
    assert found.urls == ("postgres://h/d?target_session_attrs=read-write",)


def test_the_password_is_not_shown() -> None:
    found = address(URL)
    assert found.shown == "one.example:5433,two.example/shop"
    assert "cret" not in repr(found)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://user:s3cret@host/d", "starts with mysql:"),
        ("postgresql://user:s3cret@host/d?pgbouncer=perhaps", "false, true"),
        ("postgresql://user:s3cret@[host/d", "cannot be read"),
        ("postgresql://user:s3cret@host/d?sslmode", "cannot be read"),
        ("postgresql://user:s3cret@host:a_port/d", "cannot be read"),
        ("postgresql://user:12/s3cret@host/d", "cannot be read"),
        ("postgresql://user:a@b/s3cret@host/d", "cannot be read"),
        ("postgresql://user:12#s3cret@host/d", "cannot be read"),
        ("postgresql://user:12?s3cret@host/d", "cannot be read"),
        ("postgresql:user:s3cret@host/d", "cannot be read"),
        ("postgresql://user:s3cret@host/d?sslmode=perhaps", "sslmode=perhaps"),
        ("postgresql://user:s3cret@host/d?target_session_attrs=best", "target_session_attrs=best"),
    ],
)
def test_a_url_that_is_none_is_refused_without_its_password(url: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told) as refused:
        address(url)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (asyncpg.InvalidPasswordError('password authentication failed for user "u"'), "the password was refused"),
        (asyncpg.OutOfMemoryError("out of memory"), "out of memory"),
        (asyncpg.DiskFullError("could not extend file"), "the disk is full"),
        (asyncpg.AdminShutdownError("terminating connection"), "the server was stopped"),
        (asyncpg.InternalServerError("damaged"), "the server found damage"),
        (ConnectionRefusedError(111, "Connection refused"), "no connection"),
        (TimeoutError(), "no answer in time"),
        (asyncpg.InterfaceError("connection is closed"), "the connection failed"),
    ],
)
def test_every_failure_is_told_with_its_mend(error: Exception, told: str) -> None:
    failure = unavailable(error, "host/d")
    assert str(failure).startswith("the ledger at host/d: ")
    assert told in str(failure)
    assert failure.mend


def test_of_several_hosts_the_one_that_answered_knows_what_to_do() -> None:
    down, standby = (
        unavailable(ConnectionRefusedError(111, "Connection refused"), "a,b/d"),
        unavailable(asyncpg.exceptions.TargetServerAttributeNotMatched("none"), "a,b/d"),
    )
    both = together([down, standby])
    assert isinstance(both, LedgerUnavailable)
    assert "no connection" in str(both)
    assert "takes no writes" in str(both)
    assert both.mend == standby.mend
