"""Which store the ledger's URL names, and what is said of one that names none."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from worker.errors import SettingsError
from worker.ledger.opening import store_for
from worker.ledger.postgres import PostgresStore
from worker.ledger.sqlite import SqliteStore
from worker.ledger.store import Store

FULL: Literal["full"] = "full"


def opened(url: str) -> Store:
    return store_for(url, timeout_seconds=1.0, connections=2, synchronous=FULL)


def test_three_slashes_are_a_file_beside_the_worker_and_four_one_from_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(opened("sqlite:///ledger.db"), SqliteStore)
    assert isinstance(opened(f"sqlite:///{tmp_path / 'ledger.db'}"), SqliteStore)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"WORKER_LEDGER__URL: .*there is no folder {tmp_path / 'none'}"):
        opened(f"sqlite:///{tmp_path / 'none' / 'ledger.db'}")


def test_a_postgresql_is_not_asked_before_it_is_opened() -> None:
    assert isinstance(opened("postgresql://user:password@127.0.0.1:1/ledger"), PostgresStore)


@pytest.mark.parametrize("url", ["postgresql://:::canary-4d1e", "postgresql://user:canary-4d1e@host:x/ledger"])
def test_a_malformed_address_is_told_with_the_settings_name_and_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="WORKER_LEDGER__URL: given \\(not shown\\); ") as refused:
        opened(url)
    assert "canary-4d1e" not in str(refused.value)
