"""Wrong use of `rokt-worker dlq` is exit code 2, with a sentence that says what is right; nobody is asked anything."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from worker.commands.dlq import dlq
from worker.commands.main import main
from worker.ledger.opening import store_for

ENOUGH = {
    "WORKER_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "WORKER_ROKT__API_KEY": "canary-key",
    "WORKER_ROKT__TAG_ID": "1",
}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("redrive --rate 0 --all", "--rate"),
        ("redrive --limit 0 --all", "--limit"),
        ("redrive --max-redrives 0 --all", "--max-redrives"),
        ("redrive --all --cart ada", "--all means every letter"),
        ("redrive --state redriven --all", "'redriven' is not one of 'open', 'discarded'"),
        ("redrive orders.dlq/0", "'orders.dlq/0' is no place such as checkout-completed.dlq/0/42."),
        ("discard --because x", "Say which letters"),
        ("discard --all", "Missing option '--because'"),
        ("discard --all --because ' '", "--because is empty"),
        ("list --reason bored", "'bored' is not one of 'undecodable'"),
        ("list --operation refund", "'refund' is not one of 'confirm'"),
        ("list --status 42", "--status"),
        ("list --since yesterday", "'yesterday' is no time such as"),
        ("list --since 2026-11-20 --until 2026-11-19", "--since is not before --until"),
        ("list --state open,redriven", "is not one of"),
        ("list --limit 0", "--limit"),
        ("show", "Missing argument 'PLACE'"),
        ("show orders.dlq/0/x", "is no place"),
        ("show orders.dlq/0/-1", "is no place"),
        ("show /0/1", "is no place"),
        ("shw", "No such command"),
    ],
)
def test_wrong_use_is_named(arguments: str, said: str) -> None:
    done = CliRunner().invoke(main, f"dlq {arguments}", env=ENOUGH)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_wrong_settings_are_named() -> None:
    for arguments in ("list", "show orders.dlq/0/1", "redrive --all", "discard --all --because x"):
        done = CliRunner().invoke(main, f"dlq {arguments}", env={})
        assert (done.exit_code, done.stdout) == (2, "")
        assert "WORKER_KAFKA__BOOTSTRAP_SERVERS: is not set" in done.stderr


@pytest.mark.parametrize("name", sorted(dlq.commands))
def test_every_help_has_an_example_and_the_exit_codes(name: str) -> None:
    shown = CliRunner().invoke(main, ["dlq", name, "--help"]).output
    told = shown.split("Options:")[0].split("\n", 1)[1]
    assert f"rokt-worker dlq {name}" in told
    assert "Exit codes:" in told


@pytest.mark.parametrize(
    "arguments",
    [
        "list",
        "show checkout-completed.dlq/0/1",
        "redrive --all",
        "redrive --all --dry-run",
        "discard --all --because x",
    ],
)
def test_a_ledger_that_is_not_there_is_told_and_not_made(arguments: str, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    settings = ENOUGH | {"WORKER_LEDGER__URL": f"sqlite:///{ledger}"}
    done = CliRunner().invoke(main, f"dlq {arguments}", env=settings)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "there is no ledger" in done.stderr
    assert not ledger.exists()


@pytest.mark.parametrize("arguments", ["list", "redrive --dry-run", "redrive", "discard --because x"])
def test_a_topic_that_is_none_of_ours_is_named(arguments: str, tmp_path: Path) -> None:
    async def made() -> None:
        store = store_for(url, timeout_seconds=5, connections=1, synchronous="full")
        await store.open()
        await store.close()

    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    asyncio.run(made())
    done = CliRunner().invoke(main, f"dlq {arguments} --topic orders", env=ENOUGH | {"WORKER_LEDGER__URL": url})
    assert (done.exit_code, done.stdout) == (2, "")
    assert "orders is no source topic (checkout-completed, order-cancelled, cart-abandoned)" in done.stderr
