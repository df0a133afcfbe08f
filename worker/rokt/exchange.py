"""A request and its answer as they cross from the client to the connections, or to what stands in for them. Values."""

from __future__ import annotations

from typing import Protocol

import httpx
from msgspec import Struct

from worker.rokt.access import Timeouts

Headers = list[tuple[bytes, bytes]]


class Target(Struct, frozen=True):
    """Where an endpoint is: `path` is as it stands in a request's first line, `authority` as in its `Host`."""

    scheme: str
    host: str
    port: int
    path: bytes
    authority: bytes


class Request(Struct, eq=False):
    """A POST that is whole: nothing is added to its headers. `connected` once it may have been sent.

    `fixed` are headers as they go over the wire, each line with its end; the same of many requests.
    """

    target: Target
    fixed: bytes
    headers: Headers
    body: bytes
    connected: bool = False

    @property
    def all_headers(self) -> Headers:
        """The fixed ones, and the others."""
        fixed = (line.partition(b": ") for line in self.fixed.split(b"\r\n")[:-1])
        return [(name, value) for name, _, value in fixed] + self.headers


class Rest(Protocol):
    """What is still to come of an answer's body."""

    async def more(self) -> bytes:
        """The next piece, nothing once there is none. Raises as `Transport.exchange` does."""

    def close(self) -> None:
        """No more of it is wanted; also after its end."""


class Response(Struct, eq=False):
    """An answer whose headers have come, with what came of its body; all of it where there is no `rest`."""

    status: int
    headers: Headers
    body: bytes
    rest: Rest | None = None

    def header(self, name: bytes) -> str | None:
        """The value of a header, by its name in small letters; of several the first."""
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == name), None)


class Transport(Protocol):
    """The way to Rokt."""

    async def exchange(self, request: Request, limits: Timeouts) -> Response:
        """Sends a request; redirects are not followed, bodies not decompressed.

        Raises TimeoutError after `limits.total`, which also bounds what is to come of the answer, and else what httpx
        names it: `ConnectError`, `ConnectTimeout`, `PoolTimeout` and `LocalProtocolError` were never sent, every other
        httpx.TransportError may have been.
        """

    async def close(self) -> None:
        """Closes every connection."""


def lines(headers: Headers) -> bytes:
    """Headers as they go over the wire (RFC 9112, section 5). Raises ValueError for what would be another line."""
    text = b"".join([b"%s: %s\r\n" % pair for pair in headers])
    if text.count(b"\n") != len(headers) or text.count(b"\r") != len(headers) or b"\0" in text:
        raise ValueError("a header with a line break or a NUL cannot be sent")
    return text


def target(url: str) -> Target:
    """The target of a URL."""
    parsed = httpx.URL(url)
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    return Target(parsed.scheme, parsed.host, port, parsed.raw_path, parsed.netloc)
