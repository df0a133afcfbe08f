"""Why a server cannot be had."""

from __future__ import annotations


class UnavailableError(Exception):
    """`reason` is one line; `log` is what the server itself said, where there was one."""

    def __init__(self, reason: str, log: str = "") -> None:
        super().__init__(f"{reason}\n{log}" if log else reason)
        self.reason = reason
        self.log = log
