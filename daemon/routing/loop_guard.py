"""Its own output that comes back into its input: recognised, so that it is neither heard nor sent
round again.

A cable, a DAW or a synth may return what Segue sends. What comes in is an echo where it says the
same as something that was sent, and

- the model played it, up to `BOUND` before: no performer strikes the same key with the same
  velocity by chance (what is no note is ignored only where that changes nothing);
- or it was passed thru, up to `QUICK` before: no hand repeats a key so fast;
- or it comes as late as echoes came before, once a loop is known.

Passed-thru notes that come back later than `QUICK` look like repeated notes of a sequencer, or of a
keyboard with one velocity. Where something came at even distances `TIMES` times, the guard asks: it
sends a probe (a note-off of a key that nobody plays) and knows from its return that there is a
loop, and how long it is. So a player of even notes is never taken for an echo.

A note-off follows its note-on: of a key whose echo was ignored it is ignored, too.
"""

import math
from collections import deque
from collections.abc import Callable

from .active_notes import ALL_SOUND_OFF, MODEL

BOUND = 0.5  # seconds; the longest loop that is recognised
QUICK = 0.03  # seconds; an echo for sure
TIMES = 4
LEAST_SPREAD = 0.004  # seconds by which echoes may be early or late at least
MISSING = 16  # things in a row that did not come back: the loop is gone
ASK_AGAIN = 10.0  # seconds until the next probe; doubled after each that did not return
MOST_SENT = 512
MOST_WATCHED = 256

PROBE_KEY = 0
_LAST_CHANNEL = 15


class _Sent:
    """Something on its way, perhaps to come back."""

    __slots__ = ("back", "body", "channel", "owner", "time")

    def __init__(self, time: float, owner: int, channel: int, body: bytes) -> None:
        self.time, self.owner, self.channel, self.body = time, owner, channel, body
        self.back = False


class LoopGuard:
    """Told of all that is sent, asked about all that comes in, both in order of time.

    `latency` is the length of the loop in seconds, None while none is known. `say(line)` takes what
    the performer should know.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._sent: deque[_Sent] = deque()
        self._alike: dict[bytes, deque[_Sent]] = {}  # the same, by what they say
        self._last: dict[bytes, bytes] = {}  # where each controller (or the like) stands
        self._struck = -math.inf  # when the last note-on was sent
        self._held: dict[tuple[int, int], int] = {}  # keys that the performer holds
        self._echoed: dict[tuple[int, int], int] = {}  # note-ons ignored, their note-offs to come
        self._even: dict[bytes, tuple[float, float, int]] = {}  # time, distance, how often
        self._probed = -math.inf
        self._patience = ASK_AGAIN
        self._asks = False
        self._guess: float | None = None
        self._missing = 0
        self._moved: int | None = None  # the channel that the loop puts everything on
        self._spread = 0.0
        self.latency: float | None = None

    def sent(self, now: float, owner: int, message: bytes) -> None:
        """Something goes out."""
        if message[0] >= 0xF0:
            return
        self._forget_old(now)
        sent = _Sent(now, owner, message[0] & 0x0F, _body(message))
        self._sent.append(sent)
        self._alike.setdefault(sent.body, deque()).append(sent)
        self._last[_place(message)] = sent.body
        if sent.body[0] == 0x90:
            self._struck = now

    def probe(self, now: float) -> bytes | None:
        """A message to send now, to find out whether it returns; mostly None."""
        if not self._asks:
            return None
        self._asks = False
        self._probed = now
        return bytes((0x80 | _LAST_CHANNEL, PROBE_KEY, 64))

    def echo(self, now: float, message: bytes) -> bool:
        """Whether a message that came in is nothing but what was sent."""
        if message[0] >= 0xF0:
            return False
        self._forget_old(now)
        body, channel = _body(message), message[0] & 0x0F
        kind = body[0]
        if kind == 0x80:
            return self._note_off(now, channel, body)
        sent = self._source(now, message, body)
        if sent is None:
            if kind == 0x90:
                key = (channel, body[1])
                self._held[key] = self._held.get(key, 0) + 1
            elif kind == 0xB0 and body[1] >= ALL_SOUND_OFF:
                self._held = {key: n for key, n in self._held.items() if key[0] != channel}
            return False
        if kind == 0x90:
            key = (channel, body[1])
            self._echoed[key] = self._echoed.get(key, 0) + 1
        self._learn(now, sent, channel)
        return True

    def _note_off(self, now: float, channel: int, body: bytes) -> bool:
        key = (channel, body[1])
        if body[1] == PROBE_KEY and key not in self._held and now - self._probed <= BOUND:
            self._moved = channel if channel != _LAST_CHANNEL else None
            self._know(now - self._probed)
            return True
        held, echoed = self._held.get(key, 0), self._echoed.get(key, 0)
        sent = self._unreturned(now, body)
        if held and not (echoed and sent is not None):
            self._held[key] = held - 1
            if held == 1:
                del self._held[key]
            return False
        if not echoed and sent is None:
            return False
        if echoed > 1:
            self._echoed[key] = echoed - 1
        elif echoed:
            del self._echoed[key]
        if sent is not None:
            sent.back, self._missing = True, 0
        return True

    def _unreturned(self, now: float, body: bytes) -> _Sent | None:
        """The note-off that this one may be."""
        for sent in self._alike.get(body, ()):
            age = now - sent.time
            if not sent.back and (self._on_time(age) if self.latency is not None else age <= BOUND):
                return sent
        return None

    def _source(self, now: float, message: bytes, body: bytes) -> _Sent | None:
        """What was sent of which this is the echo."""
        channel, loose = message[0] & 0x0F, None
        for sent in self._alike.get(body, ()):
            age = now - sent.time
            same = sent.channel == channel
            if (same or channel == self._moved) and self._on_time(age):
                return sent
            struck = body[0] == 0x90
            if sent.owner == MODEL:
                if struck or (same and self._changes_nothing(message, sent)):
                    return sent
            elif same and age <= QUICK and (struck or self._changes_nothing(message, sent)):
                return sent
            elif same:
                loose = sent
        if loose is not None:
            self._watch(now, bytes((channel,)) + body)
        return None

    def _changes_nothing(self, message: bytes, sent: _Sent) -> bool:
        """Whether it does no harm to ignore this: a controller (or the like) that stands where it
        would be put, a panic since which no note began."""
        if message[0] & 0xF0 == 0xB0 and message[1] >= ALL_SOUND_OFF:
            return self._struck <= sent.time
        return self._last.get(_place(message)) == sent.body

    def _watch(self, now: float, message: bytes) -> None:
        """Something is repeated: perhaps a sequencer, perhaps a loop."""
        before, distance, times = self._even.pop(message, (-math.inf, 0.0, 0))
        since = now - before
        even = abs(since - distance) <= max(LEAST_SPREAD, distance / 10)
        times = times + 1 if even else 1
        if len(self._even) >= MOST_WATCHED:
            self._even.clear()
        self._even[message] = (now, since, times)
        if times >= TIMES and self.latency is None and now - self._probed > self._patience:
            self._asks = True
            self._patience *= 2

    def _learn(self, now: float, sent: _Sent, channel: int) -> None:
        """An echo was recognised: what it tells about the loop."""
        age, sent.back = now - sent.time, True
        self._missing = 0
        if self.latency is not None and self._on_time(age):
            self._spread += (abs(age - self.latency) - self._spread) / 8
            self.latency += (age - self.latency) / 8
            return
        if sent.body[0] != 0x90 or (sent.owner != MODEL and age > QUICK):
            return
        if self._guess is not None and abs(age - self._guess) <= max(LEAST_SPREAD, age / 5):
            self._moved = channel if channel != sent.channel else None
            self._know((age + self._guess) / 2)
        self._guess = age

    def _know(self, latency: float) -> None:
        if self.latency is None:
            self._say(
                f"its own output comes back into its input after {1000 * latency:.0f} ms: ignored "
                "(take that connection away)"
            )
        self.latency, self._spread = latency, 0.0
        self._missing, self._patience = 0, ASK_AGAIN

    @property
    def _tolerance(self) -> float:
        return LEAST_SPREAD + 4 * self._spread + (self.latency or 0.0) / 10

    def _on_time(self, age: float) -> bool:
        return self.latency is not None and abs(age - self.latency) <= self._tolerance

    def _forget_old(self, now: float) -> None:
        while self._sent and (now - self._sent[0].time > BOUND or len(self._sent) > MOST_SENT):
            sent = self._sent.popleft()
            alike = self._alike[sent.body]
            alike.popleft()
            if not alike:
                del self._alike[sent.body]
            if self.latency is not None and not sent.back and sent.body[0] == 0x90:
                self._missing += 1
                if self._missing >= MISSING:
                    self._say("its own output no longer comes back into its input")
                    self.latency = self._guess = self._moved = None


def _place(message: bytes) -> bytes:
    """What a message sets: a controller of a channel, the pitch wheel of one, and so on."""
    return message[:2] if message[0] & 0xF0 in (0xA0, 0xB0) else message[:1]


def _body(message: bytes) -> bytes:
    """A message without its channel. Loops change the velocity of note-offs, so that is left out,
    and a note-on of velocity 0 is a note-off."""
    kind = message[0] & 0xF0
    if kind == 0x80 or (kind == 0x90 and not message[2]):
        return bytes((0x80, message[1]))
    return bytes((kind,)) + message[1:]
