"""Why a question was not answered, in words, and addresses without what may be a password in them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit


def in_words(error: BaseException | None) -> str:
    """What an HTTP client or the system raised; the words are ours, or the system's fixed ones."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return f"TLS: the certificate is not valid for it ({cause.verify_message.rstrip('.')})"
            case ssl.SSLError():
                return f"TLS: no agreement ({(cause.reason or 'unknown').lower().replace('_', ' ')})"
            case socket.gaierror():
                return "the name cannot be resolved"
            case ConnectionRefusedError():
                return "connection refused"
            case ConnectionError():
                return "the connection broke"
    names = [type(cause).__name__ for cause in _causes(error)]
    if any("Timeout" in name for name in names):
        return "no answer in time"
    return f"no answer ({names[-1] if names else 'unknown'})"


def shown(url: str) -> str:
    """Without user, password and query."""
    parts = urlsplit(url if "//" in url else f"//{url}")
    return f"{parts.scheme}{'://' if parts.scheme else ''}{parts.netloc.rpartition('@')[2]}{parts.path}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """What an error came of, the innermost first, which is the system's own; then itself."""
    if error is None:
        return
    yield from _causes(error.__cause__ or error.__context__)
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _causes(one)
    yield error
