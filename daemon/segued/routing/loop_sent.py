"""What was sent lately and may still come back."""

from collections import deque
from collections.abc import Iterator, Sequence

from .loop_path import Path

MOST_SENT = 4096

NOTE_OFF, NOTE_ON, CONTROLLER = 0x80, 0x90, 0xB0


class Sent:
    """Something on its way, perhaps to come back; `back`: the paths by which it did."""

    __slots__ = ("back", "body", "channel", "time")

    def __init__(self, time: float, channel: int, body: bytes) -> None:
        self.time, self.channel, self.body = time, channel, body
        self.back: tuple[Path, ...] = ()


class Outbox:
    """All of it, in order; never more than `MOST_SENT` messages."""

    def __init__(self) -> None:
        self._all: deque[Sent] = deque()
        self._alike: dict[bytes, deque[Sent]] = {}  # the same, by what they say

    def __iter__(self) -> Iterator[Sent]:
        return iter(self._all)

    def add(self, sent: Sent) -> None:
        """One more."""
        self._all.append(sent)
        alike = self._alike.get(sent.body)
        if alike is None:
            self._alike[sent.body] = deque((sent,))
        else:
            alike.append(sent)

    def alike(self, body: bytes) -> Sequence[Sent]:
        """What says this, on whatever channel, in order."""
        return self._alike.get(body, ())

    def forget(self, oldest: float) -> None:
        """What was sent before that time."""
        while self._all and (self._all[0].time < oldest or len(self._all) > MOST_SENT):
            body = self._all.popleft().body
            alike = self._alike[body]
            alike.popleft()
            if not alike:
                del self._alike[body]


def body_of(message: bytes) -> bytes:
    """A message without its channel. Loops change the velocity of note-offs, so that is left out,
    and a note-on of velocity 0 is a note-off."""
    kind = message[0] & 0xF0
    if kind == NOTE_OFF or (kind == NOTE_ON and not message[2]):
        return bytes((NOTE_OFF, message[1]))
    return bytes((kind,)) + message[1:]
