"""No answer: whether the request can have reached Rokt, and why there was none, in words.

The words are ours alone, and of the system's errors only their fixed texts: no address, header or body is in them.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpx

from worker.rokt.access import Timeouts
from worker.rokt.answers import Failed, Failure

NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.LocalProtocolError)
BODY = "the answer's body"


def no_answer(error: Exception, limits: Timeouts, *, connected: bool) -> Failed:
    """An attempt that ended in TimeoutError or httpx.RequestError; `connected`: its request had a connection."""
    never_sent = isinstance(error, NOT_SENT) or (isinstance(error, TimeoutError) and not connected)
    failure: Failure = "not-connected" if never_sent else "no-answer"
    words = _took_too_long(error, limits, connected=connected)
    if words is None:
        words = _no_connection(error) if never_sent else _no_reply(error)
    return Failed(failure, words, maybe_applied=not never_sent, error=type(error).__name__)


def broken_body(error: Exception, limits: Timeouts) -> str:
    """Why an answer that had begun did not come to its end."""
    if isinstance(error, TimeoutError):
        return f"{BODY} was not whole in {limits.total:g} s"
    if isinstance(error, httpx.ReadTimeout):
        return f"{BODY} stopped coming{_for(limits.read)}"
    if isinstance(error, httpx.DecodingError):
        return f"{BODY} is compressed in a way that cannot be undone"
    return f"{BODY} broke off"


def _took_too_long(error: Exception, limits: Timeouts, *, connected: bool) -> str | None:
    match error:
        case httpx.PoolTimeout():
            return f"no connection of the pool was free{_in(limits.pool)}"
        case httpx.ConnectTimeout():
            return f"no connection{_in(limits.connect)}"
        case httpx.WriteTimeout():
            return f"the request could not be written{_in(limits.write)}"
        case httpx.ReadTimeout():
            return f"no answer{_in(limits.read)}"
        case TimeoutError():
            return f"{'no answer' if connected else 'no connection'}{_in(limits.total)}"
    return None


def _no_connection(error: Exception) -> str:
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return f"TLS: the certificate is not valid for it ({cause.verify_message.rstrip('.')})"
            case ssl.SSLError():
                return f"TLS: no agreement ({_reason(cause)})"
            case socket.gaierror():
                return "the name cannot be resolved"
            case ConnectionRefusedError():
                return "connection refused"
            case ConnectionError():
                return "the connection broke while it was made"
            case OSError(strerror=str(said)) if cause.errno:
                return f"no connection ({said.lower()})"
    return "no connection"


def _no_reply(error: Exception) -> str:
    return (
        "the answer is not HTTP" if isinstance(error, httpx.ProtocolError) else "the connection broke before the answer"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """What an error was raised from, the innermost first, which is the system's own; then itself."""
    if error is not None:
        yield from _causes(error.__cause__)
        yield error


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "unknown").lower().replace("_", " ")


def _in(seconds: float | None) -> str:
    return " in time" if seconds is None else f" in {seconds:g} s"


def _for(seconds: float | None) -> str:
    return "" if seconds is None else f" for {seconds:g} s"
