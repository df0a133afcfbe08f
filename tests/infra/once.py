"""A server that is started for the first test that needs it and kept to the end of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from infra.unavailable import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Startable(Protocol):
    def start(self) -> None: ...
    def remove(self) -> None: ...


class Once(Generic[T]):
    """Remembers a failure as well: no second try, the same reason for every test."""

    def __init__(self, start: Callable[[], tuple[T, Callable[[], None]]]) -> None:
        self._start = start
        self._remove: Callable[[], None] | None = None
        self.value: T | None = None
        self.failure: UnavailableError | None = None

    def get(self) -> T:
        if self.value is None:
            if self.failure is not None:
                raise self.failure
            try:
                self.value, self._remove = self._start()
            except UnavailableError as failure:
                self.failure = failure
                raise
        return self.value

    def remove(self) -> None:
        if self._remove is not None:
            self._remove()
        self.value = self._remove = None


def start_or_remove(server: Startable) -> None:
    """Nothing stays behind of a server that does not start."""
    try:
        server.start()
    except BaseException:
        server.remove()
        raise
