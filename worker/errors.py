"""The one tree of exceptions. What a lower layer raises is translated into one of these at its boundary.

    WorkerError
    ├── SettingsError        wrong or missing settings; the command ends with exit code 2
    ├── RegistryUnavailable  the schema registry cannot be asked; nobody's record is to blame
    ├── LedgerUnavailable    the ledger's database cannot be asked; what was asked is asked again
    ├── CannotReplay         what was asked for cannot be read and made again; the command says why
    ├── DeliveryFailed       the broker did not acknowledge a record of ours
    └── Abandoned            the worker was told to stop while an event was waiting; the event stays uncommitted

Expected results (a record that cannot be read, a call that was refused) are values, not exceptions.
"""

from __future__ import annotations


class WorkerError(Exception):
    """Root of everything that the worker raises on purpose."""


def words(error: BaseException) -> str:
    """What may be said of an error: what was raised on purpose says it itself, another's text may quote a record."""
    return str(error) if isinstance(error, WorkerError) else f"a defect ({type(error).__name__})"


class SettingsError(WorkerError):
    """Settings that the worker cannot start with.

    `problems` holds one sentence per setting: its name, what was given (never a secret), what is allowed.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class RegistryUnavailable(WorkerError):
    """The schema registry did not answer, or answered something that says nothing about the schema asked for.

    `status` is that of its answer, None where there was none.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class LedgerUnavailable(WorkerError):
    """The ledger's database did not do what was asked, or did not say so; asking again is safe.

    `mend` says what an operator can do about it.
    """

    def __init__(self, message: str, mend: str) -> None:
        super().__init__(message)
        self.mend = mend


class CannotReplay(WorkerError):
    """What is to be replayed is not there, or not as it was asked for. `mend` says what can be done.

    `wrong_use`: the asker named what is not there.
    """

    def __init__(self, message: str, mend: str, *, wrong_use: bool = False) -> None:
        super().__init__(message)
        self.mend = mend
        self.wrong_use = wrong_use


class DeliveryFailed(WorkerError):
    """A record was not acknowledged by the broker.

    `too_large` tells a record over the broker's or the topic's size limit (Kafka error MSG_SIZE_TOO_LARGE) from a
    failure that may pass; `fatal` tells a producer that cannot go on.
    """

    def __init__(self, message: str, *, too_large: bool = False, fatal: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large
        self.fatal = fatal


class Abandoned(WorkerError):
    """An event's wait was cut short by a stop or a revoked partition; its offset is not committed."""
