"""Whole numbers of seven bits a byte, the lowest first, as Avro and Protocol Buffers have them (LEB128). Pure."""

from __future__ import annotations

from typing import Final

SHORT: Final = tuple(bytes([number]) for number in range(128))


def varint(number: int) -> bytes:
    """A number that is not negative."""
    if number < 128:
        return SHORT[number]
    if number < 128 * 128:
        return bytes((number & 127 | 128, number >> 7))
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    written.append(number)
    return bytes(written)
