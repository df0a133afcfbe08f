"""What may happen to a request and its answer between a client and a server, as a closed union."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer as it is on the wire."""

    head: bytes
    body: bytes

    @property
    def whole(self) -> bytes:
        return self.head + self.body

    @property
    def second_word(self) -> str:
        """A request's path, an answer's status."""
        return self.head.split(b" ", 2)[1].decode("ascii")


@dataclass(frozen=True, slots=True)
class Passing:
    """Every request and its answer go through."""


@dataclass(frozen=True, slots=True)
class Refusing:
    """Nobody listens, and the connections that there were are reset."""


@dataclass(frozen=True, slots=True)
class Silent:
    """Requests are taken and never answered, nor passed on."""


@dataclass(frozen=True, slots=True)
class LosingAnswers:
    """Requests are passed on; once the server has answered, the connection is reset."""


@dataclass(frozen=True, slots=True)
class CuttingBodies:
    """The answer comes with its headers and half of its body; then the connection is closed."""


@dataclass(frozen=True, slots=True)
class Dripping:
    """The answer comes byte by byte, with so many seconds before each."""

    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Delaying:
    """The answer comes so many seconds late, also when the fault is over by then."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Answering:
    """Nothing is passed on, the answer is this, so many seconds later; `retry_after` gives the header's text."""

    status: int
    retry_after: Callable[[], str] | None = None
    seconds: float = 0.0

    def answer(self) -> Message:
        wait = "" if self.retry_after is None else f"Retry-After: {self.retry_after()}\r\n"
        return Message(f"HTTP/1.1 {self.status} Ordered\r\n{wait}Content-Length: 0\r\n\r\n".encode(), b"")


@dataclass(frozen=True, slots=True)
class Presenting:
    """Another certificate than the right one, by its name."""

    certificate: str


Fault: TypeAlias = (
    Passing | Refusing | Silent | LosingAnswers | CuttingBodies | Dripping | Delaying | Answering | Presenting
)
