"""A byte stream cut into MIDI messages: bytes are fed in, messages come out; no port in sight.

The rules are those of the MIDI 1.0 Detailed Specification. Whatever comes, it never raises and
holds at most two bytes: a system exclusive message of any length is passed over byte by byte, and
after nonsense the next status byte makes sense again. mido's parser keeps an endless system
exclusive message whole, hence this one.
"""

from .messages import DATA_BYTES, REAL_TIME, SYSTEM, is_message


def messages_of(event: bytes) -> list[bytes]:
    """The messages in what a MIDI system hands over as one: it may be several, or padded.

    No running status: what follows a whole message without a status is padding.
    """
    messages, place = [], 0
    while place < len(event):
        message = event[place : place + 1 + DATA_BYTES.get(event[place], 0)]
        if is_message(message):
            messages.append(message)
            place += len(message)
        else:
            place += 1
    return messages


class MidiStream:
    """The parser of one stream.

    Running status is understood; each message that comes out begins with its status.
    """

    def __init__(self) -> None:
        self._message = bytearray()  # a status and the data that have come; empty: out of step
        self._missing = 0  # data bytes

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes, in order. How a stream is cut makes no difference."""
        messages: list[bytes] = []
        for byte in data:
            if byte < 0x80:
                self._take_data(byte, messages)
            elif byte < REAL_TIME:
                self._take_status(byte, messages)
            elif byte in DATA_BYTES:
                messages.append(bytes((byte,)))
        return messages

    def _take_status(self, status: int, messages: list[bytes]) -> None:
        self._message.clear()
        self._missing = DATA_BYTES.get(status, 0)
        if self._missing:
            self._message.append(status)
        elif status in DATA_BYTES:
            messages.append(bytes((status,)))

    def _take_data(self, byte: int, messages: list[bytes]) -> None:
        if not self._message:  # of a system exclusive message, or of nothing that we know
            return
        self._message.append(byte)
        self._missing -= 1
        if self._missing:
            return
        messages.append(bytes(self._message))
        status = self._message[0]
        self._message.clear()
        if status < SYSTEM:
            self._message.append(status)
            self._missing = DATA_BYTES[status]
