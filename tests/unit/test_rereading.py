"""A new key in the files is taken while the worker runs; what cannot be read changes nothing and is said once."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import CapturingLogger
from structlog.typing import FilteringBoundLogger

from worker.errors import SettingsError
from worker.loading import load
from worker.rereading import Credentials, Rereading, credentials

CANARY = "canary-7f3a"
FIRST = Credentials("key-1", "tag-1")
SECOND = Credentials("key-2", "tag-1")
WRONG = SettingsError(["WORKER_ROKT__API_KEY: is not set, and there is no default"])


class Desk:
    """What was handed over, and what was said of it."""

    def __init__(self, read: Callable[[], Credentials], current: Credentials = FIRST, patience: float = 5.0) -> None:
        self.taken: list[Credentials] = []
        self._log = CapturingLogger()
        self.rereading = Rereading(
            read,
            current,
            self.taken.append,
            every_seconds=3600.0,
            log=cast("FilteringBoundLogger", self._log),
            patience_seconds=patience,
        )

    def said(self, event: str) -> list[dict[str, Any]]:
        return [dict(call.kwargs) for call in self._log.calls if call.args == (event,)]

    def silent(self) -> bool:
        return not self._log.calls


def reading(*found: Credentials | SettingsError) -> Callable[[], Credentials]:
    """Gives these, one a reading, and the last of them for ever."""
    left = list(found)

    def read() -> Credentials:
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, SettingsError):
            raise one
        return one

    return read


def look(desk: Desk, times: int = 1) -> None:
    async def main() -> None:
        for _ in range(times):
            await desk.rereading.look()

    asyncio.run(main())


def test_a_new_key_is_taken_once_and_its_name_is_said() -> None:
    desk = Desk(reading(SECOND))
    look(desk, times=3)
    assert desk.taken == [SECOND]
    assert desk.said("credentials.read_again") == [{"settings": ["WORKER_ROKT__API_KEY"]}]


def test_a_new_tag_id_is_taken_too() -> None:
    desk = Desk(reading(Credentials("key-1", "tag-2")))
    look(desk)
    assert desk.said("credentials.read_again") == [{"settings": ["WORKER_ROKT__TAG_ID"]}]


def test_nothing_is_said_or_done_while_nothing_changes() -> None:
    desk = Desk(reading(FIRST))
    look(desk, times=3)
    assert desk.taken == []
    assert desk.silent()


def test_what_two_readings_do_not_agree_on_is_a_change_under_way() -> None:
    half = Credentials("key-2", "tag-2")
    desk = Desk(reading(half, SECOND, WRONG, SECOND, SECOND))
    look(desk, times=3)
    assert desk.taken == [SECOND]
    assert desk.said("credentials.unreadable") == []


def test_what_cannot_be_read_keeps_the_old_ones_and_is_said_once() -> None:
    desk = Desk(reading(WRONG))
    look(desk, times=3)
    assert desk.taken == []
    [line] = desk.said("credentials.unreadable")
    assert line["why"] == WRONG.problems[0]


def test_another_complaint_is_said_and_so_is_the_first_when_it_comes_again() -> None:
    other = SettingsError(["WORKER_ROKT__TAG_ID: is not set, and there is no default"])
    desk = Desk(reading(WRONG, WRONG, other, other, FIRST, FIRST, WRONG))
    look(desk, times=4)
    told = [line["why"].split(":")[0] for line in desk.said("credentials.unreadable")]
    assert told == ["WORKER_ROKT__API_KEY", "WORKER_ROKT__TAG_ID", "WORKER_ROKT__API_KEY"]
    assert desk.taken == []


def test_a_mended_file_is_taken_after_the_complaint() -> None:
    desk = Desk(reading(WRONG, WRONG, SECOND))
    look(desk, times=2)
    assert desk.taken == [SECOND]


def test_an_error_that_nobody_expects_does_not_end_it_and_its_text_is_not_shown() -> None:
    def read() -> Credentials:
        raise ValueError(CANARY)

    desk = Desk(read)
    look(desk)
    [line] = desk.said("credentials.unreadable")
    assert "ValueError" in line["why"]
    assert CANARY not in line["why"]


def test_files_that_do_not_answer_hold_up_nothing_and_are_not_asked_twice_at_once() -> None:
    answer = threading.Event()
    asked: list[None] = []

    def read() -> Credentials:
        asked.append(None)
        assert answer.wait(60)
        return SECOND

    async def main() -> None:
        desk = Desk(read, patience=0.01)
        await desk.rereading.look()
        await desk.rereading.look()
        assert len(asked) == 1
        assert len(desk.said("credentials.unreadable")) == 1
        answer.set()
        while not desk.taken:
            await desk.rereading.look()
        assert desk.taken == [SECOND]

    asyncio.run(main())


def test_no_credential_is_in_their_own_text() -> None:
    assert CANARY not in repr(Credentials(CANARY, CANARY))


# --- From real files


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as Kubernetes mounts it: each file a link through `..data`, which is a link to the current version."""
    monkeypatch.setenv("WORKER_KAFKA__BOOTSTRAP_SERVERS", "b:1")
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name in ("API_KEY", "TAG_ID"):
        (folder / f"WORKER_ROKT__{name}").symlink_to(f"..data/WORKER_ROKT__{name}")
    swap(folder, "key-1", "tag-1")
    return folder


def swap(folder: Path, api_key: str, tag_id: str) -> None:
    version = folder / f"..version-{len(list(folder.iterdir()))}"
    version.mkdir()
    (version / "WORKER_ROKT__API_KEY").write_text(api_key)
    (version / "WORKER_ROKT__TAG_ID").write_text(tag_id)
    (folder / "..next").symlink_to(version.name)
    (folder / "..next").replace(folder / "..data")


def from_files(env_file: Path | None, folder: Path | None) -> Desk:
    def read() -> Credentials:
        return credentials(load(os.environ, env_file, folder).rokt)

    return Desk(read, read())


def test_a_folder_that_kubernetes_swaps_is_read_again(secrets: Path) -> None:
    desk = from_files(None, secrets)
    look(desk)
    swap(secrets, "key-2", "tag-2")
    look(desk, times=2)
    assert desk.taken == [Credentials("key-2", "tag-2")]


def test_an_env_file_is_read_again_and_comes_before_the_folder(secrets: Path, tmp_path: Path) -> None:
    env_file = tmp_path / "env"
    env_file.write_text("")
    desk = from_files(env_file, secrets)
    env_file.write_text("WORKER_ROKT__API_KEY=from-file\n")
    look(desk)
    swap(secrets, "key-2", "tag-2")
    look(desk)
    assert desk.taken == [Credentials("from-file", "tag-1"), Credentials("from-file", "tag-2")]


def test_what_the_environment_says_still_comes_first(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_ROKT__API_KEY", "from-environment")
    desk = from_files(None, secrets)
    swap(secrets, "key-2", "tag-1")
    look(desk)
    assert desk.taken == []


def test_a_file_that_is_wrong_is_told_without_its_value(secrets: Path) -> None:
    desk = from_files(None, secrets)
    swap(secrets, f"{CANARY}\u2603", "tag-1")
    look(desk, times=2)
    assert desk.taken == []
    [line] = desk.said("credentials.unreadable")
    assert "WORKER_ROKT__API_KEY" in line["why"]
    assert CANARY not in line["why"]


def test_a_folder_that_is_gone_keeps_the_old_ones(secrets: Path) -> None:
    desk = from_files(None, secrets)
    secrets.rename(secrets.with_name("elsewhere"))
    look(desk, times=2)
    assert desk.taken == []
    assert len(desk.said("credentials.unreadable")) == 1


def test_another_setting_that_changed_is_not_taken(secrets: Path, tmp_path: Path) -> None:
    env_file = tmp_path / "env"
    env_file.write_text("WORKER_ROKT__MAX_CONCURRENCY=1\n")
    desk = from_files(env_file, secrets)
    env_file.write_text("WORKER_ROKT__MAX_CONCURRENCY=2\n")
    look(desk)
    assert desk.taken == []
    assert desk.silent()
