"""What a commit tells the next owner of a partition: which offsets above the committed one are settled already. Pure.

Kafka keeps a text beside each committed offset. In it stand the moment of the commit and a bitmap of what is settled
above it, so that a partition that changes hands, or a worker that starts again, does not repeat those events. It is
believed only of records that are older than it: offsets that were given anew, in a log cut short, are newer.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

VERSION = "1"
OFFSETS = 16_000
"""Bits in the map: 2,000 bytes, under 2,700 as text; a broker takes 4,096 (offset.metadata.max.bytes)."""


@dataclass(frozen=True, slots=True)
class Handover:
    """The settled offsets above `base`, as of a moment in milliseconds since 1970."""

    base: int = 0
    at_ms: int = 0
    settled: frozenset[int] = frozenset()

    def covers(self, offset: int, timestamp_ms: int | None) -> bool:
        """Whether a record was settled by an earlier owner."""
        return offset in self.settled and timestamp_ms is not None and timestamp_ms <= self.at_ms


def to_text(base: int, settled: Iterable[int], at_ms: int) -> str:
    """The text beside a commit of `base`; empty when nothing above is settled. What is too far above is left out."""
    bits = bytearray(OFFSETS // 8)
    for offset in settled:
        place = offset - base
        if 0 <= place < OFFSETS:
            bits[place >> 3] |= 1 << (place & 7)
    packed = bytes(bits.rstrip(b"\0"))
    return f"{VERSION}:{at_ms}:{base64.b64encode(zlib.compress(packed)).decode()}" if packed else ""


def from_text(base: int, text: str | None) -> Handover:
    """What a text beside a commit of `base` says; nothing, when it is not one of ours."""
    version, _, rest = (text or "").partition(":")
    at, _, packed = rest.partition(":")
    if version != VERSION or not at.isascii() or not at.isdigit() or len(at) > 15:
        return Handover()
    try:
        unpack = zlib.decompressobj()
        bits = unpack.decompress(base64.b64decode(packed, validate=True), OFFSETS // 8)
    except (ValueError, zlib.error):
        return Handover()
    settled = (base + 8 * n + bit for n, byte in enumerate(bits) if byte for bit in range(8) if byte >> bit & 1)
    return Handover(base, int(at), frozenset(settled))
