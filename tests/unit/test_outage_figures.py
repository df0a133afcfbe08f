"""What is read from the log of an outage, and what is counted while a circuit is open."""

from __future__ import annotations

from typing import Any

from outages.circuits import Open, monotonic, opened
from outages.figures import Attempt, while_open


def _line(second: int, event: str, **fields: Any) -> dict[str, Any]:
    return {"time": f"1970-01-01T00:00:{second:02}.500000Z", "event": event, **fields}


def test_a_circuit_is_open_from_one_line_to_the_other_or_to_the_end() -> None:
    lines = [
        _line(1, "circuit.opened", circuit="confirm"),
        _line(2, "call.retry"),
        _line(3, "circuit.opened", circuit="cancel"),
        _line(4, "circuit.closed", circuit="confirm"),
        _line(5, "circuit.closed", circuit="release"),
    ]
    found = opened(lines, monotonic(100), 130.0)
    assert found == [Open("confirm", 101.5, 104.5), Open("cancel", 103.5, 130.0)]


def test_refused_credentials_are_one_circuit_however_the_log_says_it() -> None:
    old = [_line(1, "credentials.refused"), _line(2, "credentials.refused"), _line(4, "credentials.accepted")]
    new = [
        _line(1, "circuit.opened", circuit="credentials"),
        *old,
        _line(4, "circuit.closed", circuit="credentials"),
    ]
    for lines in (old, new):
        assert opened(lines, monotonic(0), 9.0) == [Open("credentials", 1.5, 4.5)]


def test_an_operations_circuit_holds_its_own_calls_and_a_common_one_holds_all() -> None:
    attempts = [Attempt(at, operation) for at in (0.1, 1.0, 1.1, 1.9, 5.0) for operation in ("confirm", "release")]
    assert while_open(attempts, [Open("confirm", 0.0, 4.0)]) == (3, 4.0, 3), "what was on its way does not count"
    assert while_open(attempts, [Open("credentials", 0.0, 4.0)]) == (6, 4.0, 6)
    assert while_open(attempts, [Open("confirm", 0.0, 1.05), Open("confirm", 1.5, 2.0)]) == (2, 1.55, 1)
    assert while_open(attempts, []) == (0, 0.0, 0)
