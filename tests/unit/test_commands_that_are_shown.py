"""Every `rokt-worker` command that README or a --help shows is one: its options exist, and take what is given."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from worker.commands.main import main

README = Path(__file__).parents[2] / "README.md"
PATH = "rokt-worker"


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, inner in sorted(command.commands.items()):
            yield from _commands(inner, f"{path} {name}")


def _shown(text: str) -> Iterator[str]:
    """The lines that a person would type, without what stands before, behind or around the command."""
    for line in text.replace("\\\n", " ").splitlines():
        if (found := re.match(rf"\s*(?:[A-Z_]+=\S+\s+)*({PATH} [^|#>]+)", line)) and "COMMAND" not in line:
            yield found[1].strip()


def _is_whole(command: click.Group, rest: list[str]) -> bool:
    """Whether a group is meant itself, and none of its commands."""
    return command.invoke_without_command and (not rest or rest[0].startswith("-"))


def _examples() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
    helps = [command.help or "" for _, command in _commands(main, PATH)]
    return sorted({line for text in (*blocks, *helps) for line in _shown(text)})


@pytest.mark.parametrize("line", _examples())
def test_a_command_that_is_shown_can_be_typed(line: str) -> None:
    command: click.Command = main
    rest = shlex.split(line)[1:]
    with click.Context(main, info_name=PATH) as context:
        while isinstance(command, click.Group) and not _is_whole(command, rest):
            name, inner, rest = command.resolve_command(context, rest)
            assert inner is not None
            command = inner
            assert name
        command.make_context(PATH, rest, parent=context)


@pytest.mark.parametrize(
    ("path", "command"), list(_commands(main, PATH)), ids=lambda each: each if isinstance(each, str) else ""
)
def test_every_help_has_an_example(path: str, command: click.Command) -> None:
    told = command.help or ""
    assert "Example" in told
    assert path in told
