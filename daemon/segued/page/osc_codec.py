"""Decodes OSC 1.0 messages and bundles, and encodes messages. Pure.

It accepts the argument types that control surfaces and patches send; it rejects other messages.
"""

import struct
from typing import Any, NamedTuple

LONGEST = 2048  # bytes of a datagram
MAX_MESSAGES = 64  # in a datagram
DEEPEST = 4  # bundles in bundles

_NUMBERS = {"i": ">i", "f": ">f", "h": ">q", "d": ">d"}
_CONSTANTS = {"T": True, "F": False, "I": True, "N": None}


class OscMessage(NamedTuple):
    """An address such as `/segue/do/panic`, and its arguments: numbers, strings, booleans, None."""

    address: str
    arguments: tuple[Any, ...] = ()


def encode(message: OscMessage) -> bytes:
    """A message as bytes. Arguments become 32-bit ints, 32-bit floats or strings.

    A bool becomes 0 or 1, since not all programs know the OSC types of booleans.
    """
    tags, data = ",", b""
    for value in message.arguments:
        if isinstance(value, str):
            tags, data = tags + "s", data + _padded(value)
        elif isinstance(value, float):
            tags, data = tags + "f", data + struct.pack(">f", value)
        else:
            tags, data = tags + "i", data + struct.pack(">i", value)
    return _padded(message.address) + _padded(tags) + data


def decode(data: bytes) -> list[OscMessage]:
    """The messages of a datagram, in order; time tags of bundles are ignored.

    Raises ValueError, which says what is wrong with it.
    """
    if len(data) > LONGEST:
        raise ValueError(f"longer than {LONGEST} bytes")
    messages: list[OscMessage] = []
    _read(data, messages, DEEPEST)
    return messages


def _read(data: bytes, messages: list[OscMessage], depth: int) -> None:
    """Add the messages of a packet."""
    if not data.startswith(b"#bundle\0"):
        if len(messages) >= MAX_MESSAGES:
            raise ValueError(f"more than {MAX_MESSAGES} messages")
        messages.append(_message(data))
        return
    if not depth:
        raise ValueError(f"bundles more than {DEEPEST} deep")
    at = 16  # after the identifier and the time tag
    if len(data) < at:
        raise ValueError("a bundle is truncated")
    while at < len(data):
        (length,) = _unpacked(">i", data, at)
        at += 4
        if not 0 < length <= len(data) - at:
            raise ValueError("an element of a bundle is truncated")
        _read(data[at : at + length], messages, depth - 1)
        at += length


def _message(data: bytes) -> OscMessage:
    address, at = _text(data, 0)
    if not address.startswith("/"):
        raise ValueError("no address")
    if at == len(data):  # very old senders omit the type tags of messages without arguments
        return OscMessage(address)
    tags, at = _text(data, at)
    if not tags.startswith(","):
        raise ValueError("no type tags")
    arguments: list[Any] = []
    for tag in tags[1:]:
        if tag in _CONSTANTS:
            arguments.append(_CONSTANTS[tag])
        elif tag in _NUMBERS:
            (value,) = _unpacked(_NUMBERS[tag], data, at)
            arguments.append(value)
            at += struct.calcsize(_NUMBERS[tag])
        elif tag in "sS":
            text, at = _text(data, at)
            arguments.append(text)
        else:
            raise ValueError(f"an argument of type {tag!r}")
    if at != len(data):
        raise ValueError("more bytes than its type tags need")
    return OscMessage(address, tuple(arguments))


def _unpacked(form: str, data: bytes, at: int) -> tuple[Any, ...]:
    try:
        return struct.unpack_from(form, data, at)
    except struct.error:
        raise ValueError("a number is truncated") from None


def _text(data: bytes, at: int) -> tuple[str, int]:
    """The string at `at`, and the offset after its padding, a multiple of 4."""
    end = data.find(b"\0", at)
    after = (end + 4) & ~3
    if end < 0 or after > len(data):
        raise ValueError("a string is truncated")
    try:
        return data[at:end].decode("ascii"), after
    except UnicodeDecodeError:
        raise ValueError("a string is not ASCII") from None


def _padded(text: str) -> bytes:
    data = text.encode("ascii", "replace")
    return data + bytes(4 - len(data) % 4)
