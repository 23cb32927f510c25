"""OSC 1.0 as bytes: messages and bundles read, messages written. Pure.

Only what a control surface or a patch sends is read; a message with anything else is refused whole.
"""

import struct
from typing import Any, NamedTuple

LONGEST = 2048  # bytes of a datagram
MAX_MESSAGES = 64  # in a datagram
DEEPEST = 4  # bundles in bundles

_NUMBERS = {"i": ">i", "f": ">f", "h": ">q", "d": ">d"}
_CONSTANTS = {"T": True, "F": False, "I": True, "N": None}


class OscMessage(NamedTuple):
    """An address such as `/segue/do/panic`, and its arguments: numbers, texts, bytes, switches."""

    address: str
    arguments: tuple[Any, ...] = ()


def encode(message: OscMessage) -> bytes:
    """A message as bytes. Its arguments are ints of 32 bits, floats, texts; a switch is 0 or 1,
    since not everybody knows OSC's types for them."""
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
    """The messages of a datagram, in order; the times of bundles do not count. ValueError tells
    what is wrong with it."""
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
    at = 16  # after its name and its time
    if len(data) < at:
        raise ValueError("a bundle is cut off")
    while at < len(data):
        (length,) = _unpacked(">i", data, at)
        at += 4
        if not 0 < length <= len(data) - at:
            raise ValueError("a part of a bundle is cut off")
        _read(data[at : at + length], messages, depth - 1)
        at += length


def _message(data: bytes) -> OscMessage:
    address, at = _text(data, 0)
    if not address.startswith("/"):
        raise ValueError("no address")
    if at == len(data):  # very old senders leave the types out where there are no arguments
        return OscMessage(address)
    tags, at = _text(data, at)
    if not tags.startswith(","):
        raise ValueError("no types of its arguments")
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
        raise ValueError("more bytes than its types tell of")
    return OscMessage(address, tuple(arguments))


def _unpacked(form: str, data: bytes, at: int) -> tuple[Any, ...]:
    try:
        return struct.unpack_from(form, data, at)
    except struct.error:
        raise ValueError("a number is cut off") from None


def _text(data: bytes, at: int) -> tuple[str, int]:
    """A text, and where that which follows begins: at a multiple of four."""
    end = data.find(b"\0", at)
    after = (end + 4) & ~3
    if end < 0 or after > len(data):
        raise ValueError("a text is cut off")
    try:
        return data[at:end].decode("ascii"), after
    except UnicodeDecodeError:
        raise ValueError("a text that is not ASCII") from None


def _padded(text: str) -> bytes:
    data = text.encode("ascii", "replace")
    return data + bytes(4 - len(data) % 4)
