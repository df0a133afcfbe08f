"""The flags of `rokt-worker sandbox`."""

import pytest
from click.testing import CliRunner

from worker.commands import sandbox as module
from worker.sandbox import server
from worker.sandbox.app import Settings
from worker.sandbox.faults import Latency, Outage
from worker.sandbox.state import Rules


def settings_of(monkeypatch: pytest.MonkeyPatch, *flags: str) -> Settings:
    served: list[Settings] = []
    monkeypatch.setattr(server, "serve", lambda settings, *_: served.append(settings))
    result = CliRunner().invoke(module.sandbox, flags)
    assert result.exit_code == 0, result.output
    return served[0]


def test_every_fault_can_be_ordered_by_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = settings_of(
        monkeypatch,
        *("--latency", "lognormal:0.03:0.5", "--error", "503:0.1", "--error", "429:0.2", "--error-after", "504:0.01"),
        *("--retry-after", "2", "--reset-before", "0.01", "--reset-after", "0.02", "--timeout-before", "0.03"),
        *("--timeout-after", "0.04", "--hang-seconds", "9", "--outage", "10:5", "--outage", "60:1"),
        *("--calls-per-second", "100"),
    ).faults
    assert faults.latency == Latency("lognormal", 0.03, 0.5)
    assert (faults.errors, faults.errors_after, faults.retry_after) == ({503: 0.1, 429: 0.2}, {504: 0.01}, 2)
    assert (faults.reset_before, faults.reset_after) == (0.01, 0.02)
    assert (faults.timeout_before, faults.timeout_after, faults.hang_seconds) == (0.03, 0.04, 9)
    assert faults.calls_per_second == 100
    assert faults.outage == (Outage(10, 5), Outage(60, 1))


def test_the_rules_can_be_set_by_flag_and_default_to_the_references(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_of(monkeypatch) == Settings()
    told = settings_of(
        monkeypatch,
        *("--api-key", "k", "--tag-id", "t", "--key-ttl", "60", "--reservation-ttl", "5", "--seed", "4"),
        *("--strict-reservations", "--fail-items", "bad", "--empty-pages", "none"),
    )
    assert (told.credentials.api_key, told.credentials.tag_id, told.key_ttl, told.seed) == ("k", "t", 60, 4)
    assert told.rules == Rules(5, True, "bad", "none")


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--latency", "slow:1"], "slow"),
        (["--latency", "fixed:soon"], "KIND:SECONDS"),
        (["--error", "503"], "STATUS:PROBABILITY"),
        (["--error", "200:0.1"], "400"),
        (["--error", "503:0.6", "--reset-after", "0.6"], "more than 1"),
        (["--outage", "5"], "START:LENGTH"),
        (["--outage", "5:inf"], "START:LENGTH"),
        (["--reset-before", "2"], "--reset-before"),
        (["--port", "99999"], "--port"),
    ],
)
def test_a_wrong_flag_stops_with_exit_code_2_and_says_what_is_wrong(flags: list[str], complaint: str) -> None:
    result = CliRunner().invoke(module.sandbox, flags)
    assert result.exit_code == 2
    assert complaint in result.output
