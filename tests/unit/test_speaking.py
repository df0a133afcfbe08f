"""How commands speak: to a person on a terminal, into a pipe, and as JSON."""

from __future__ import annotations

import io
import json
import re

import click
import pytest
from click.testing import CliRunner

from worker.commands.main import main
from worker.commands.speaking import Marked, Speech, Table, aligned, ends_well, settings_options
from worker.errors import LedgerUnavailable, SettingsError

LONG = "rokt_item_reservation_id." + "0123456789abcdef" * 10
TABLE = Table(("id", "count"), [[LONG, 7], [Marked("short", "bad"), 12345]])


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def spoken(*, as_json: bool, out: io.StringIO) -> str:
    Speech(as_json=as_json, out=out, err=io.StringIO()).answer([{"id": LONG}], TABLE, "that was all")
    return out.getvalue()


def test_in_a_pipe_a_table_is_aligned_text_without_boxes_colours_or_broken_ids() -> None:
    first, second, third, last = spoken(as_json=False, out=io.StringIO()).splitlines()
    assert first.split() == ["ID", "COUNT"]
    assert second.split() == [LONG, "7"]
    assert third.split() == ["short", "12345"]
    assert len(first) == len(second) == len(third)
    assert last == "that was all"


def test_no_line_ends_in_blanks() -> None:
    assert aligned(Table((), [["a", "long text"], ["b", ""]])) == ["a  long text", "b"]


def test_on_a_terminal_it_is_drawn_with_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    said = spoken(as_json=False, out=Terminal())
    assert re.search(r"\x1b\[[0-9;]*31m *short", said)
    assert "─" in said


def test_a_terminal_that_cannot_draw_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in spoken(as_json=False, out=Terminal())


@pytest.mark.parametrize("out", [io.StringIO(), Terminal()], ids=["pipe", "terminal"])
def test_json_is_the_document_and_nothing_else(out: io.StringIO) -> None:
    assert json.loads(spoken(as_json=True, out=out)) == [{"id": LONG}]


def test_what_others_wrote_cannot_move_the_cursor() -> None:
    out = io.StringIO()
    Speech(as_json=False, out=out).answer(None, Table((), [["\x1b[2Jgone\r\n"]]), "\x1b]0;title\x07")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", out.getvalue())
    assert out.getvalue().count("\n") == 2


def test_what_an_encoding_lacks_is_escaped() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Speech(as_json=False, out=out).answer(None, "Küche")
    out.seek(0)
    assert out.read() == "K\\xfcche\n"


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (SettingsError(["WORKER_A: wrong", "WORKER_B: wrong"]), 2, "WORKER_A: wrong\nWORKER_B: wrong\n"),
        (LedgerUnavailable("it is gone", "put it back"), 1, "it is gone; mend: put it back\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
    ids=["settings", "worker", "ctrl-c"],
)
def test_every_command_ends_with_its_exit_code_and_says_why(raised: BaseException, code: int, said: str) -> None:
    @click.command()
    @ends_well
    def command() -> None:
        raise raised

    done = CliRunner().invoke(command)
    assert (done.exit_code, done.stdout, done.stderr) == (code, "", said)


def test_commands_with_settings_share_their_options() -> None:
    @click.command()
    @settings_options
    def command(env_file: object, secrets_dir: object) -> None:
        click.echo(f"{env_file} {secrets_dir}")

    assert CliRunner().invoke(command, ["--env-file", "a", "--secrets-dir", "b"]).output == "a b\n"


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_help_has_an_example(name: str) -> None:
    shown = CliRunner().invoke(main, [name, "--help"]).output
    assert f"rokt-worker {name}" in shown.split("Options:")[0].split("\n", 1)[1]


def test_the_help_says_how_the_shell_completes() -> None:
    assert '"$(_ROKT_WORKER_COMPLETE=bash_source rokt-worker)"' in CliRunner().invoke(main, ["--help"]).output


def test_the_shell_completes_commands_and_options() -> None:
    asked = {"_ROKT_WORKER_COMPLETE": "bash_complete", "COMP_WORDS": "rokt-worker topics --cr", "COMP_CWORD": "2"}
    done = CliRunner().invoke(main, env=asked, prog_name="rokt-worker")
    assert "--create" in done.output
