"""Whole numbers of seven bits a byte, the lowest first, as Avro and Protocol Buffers have them (LEB128). Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

SHORT: Final = tuple(bytes([number]) for number in range(128))


def varint(number: int) -> bytes:
    """A number that is not negative."""
    if number < 1 << 7:
        return SHORT[number]
    if number < 1 << 14:
        return bytes((number & 127 | 128, number >> 7))
    return bytes((number & 127 | 128, number >> 7 & 127 | 128)) + _upper(number >> 14)


@lru_cache(maxsize=256)
def _upper(number: int) -> bytes:
    """What is the same of many: most large numbers are moments, and those of some seconds share it."""
    return varint(number)
