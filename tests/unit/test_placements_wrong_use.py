"""Wrong use of `rokt-worker placements` is exit code 2 with what is right, and nothing that was given."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from infra.listening import Listening
from worker.commands.main import main

CANARY = "cnry"
ENOUGH = {
    "WORKER_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "WORKER_ROKT__API_KEY": "cnry-key",
    "WORKER_ROKT__TAG_ID": "1",
}
WHERE = ["--cart", "c", "--page", "p"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--page", "p"], "Missing option '--cart'"),
        (["--cart", "c"], "Missing option '--page'"),
        (["--cart", " ", "--page", "p"], "'--cart': allowed: text in UTF-8 that is not blank"),
        (["--cart", "c", "--page", "cnry\udcff"], "'--page': allowed: text in UTF-8"),
        ([*WHERE, "--url", ""], "'--url': allowed: text in UTF-8"),
        ([*WHERE, "--attribute", "cnry"], "'--attribute': allowed: NAME=VALUE"),
        ([*WHERE, "--attribute", "=cnry"], "'--attribute': allowed: NAME=VALUE"),
        ([*WHERE, "--attribute", "a=cnry\udcff"], "'--attribute': allowed: NAME=VALUE"),
        ([*WHERE, "--attribute", "a=cnry1", "--attribute", "a=cnry2"], "An attribute is given twice"),
        ([*WHERE, "--attribute", "name=Ada", "cnry"], "A value with blanks needs quotes."),
        ([*WHERE, "--session", ""], "'--session': allowed: printable ASCII"),
        ([*WHERE, "--session", "cnry\r\nx: y"], "'--session': allowed: printable ASCII"),
        ([*WHERE, "--session", "cnrÿ"], "'--session': allowed: printable ASCII"),
        ([*WHERE, "--sesion=cnry"], "No such option"),
        ([*WHERE, "--locale", "cnry, de;q=0.1"], "'--locale': allowed: a locale such as en-US"),
    ],
)
def test_wrong_use_is_named_and_not_quoted(arguments: list[str], said: str) -> None:
    with Listening() as rokt:
        done = CliRunner().invoke(main, ["placements", *arguments], env=ENOUGH | {"WORKER_ROKT__BASE_URL": rokt.url})
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert CANARY not in done.stderr
    assert rokt.heard == []


def test_wrong_settings_are_named() -> None:
    done = CliRunner().invoke(main, ["placements", *WHERE], env={})
    assert (done.exit_code, done.stdout) == (2, "")
    assert "WORKER_ROKT__API_KEY: is not set" in done.stderr
