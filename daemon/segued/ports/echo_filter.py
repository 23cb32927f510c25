"""A breaker for MIDI feedback: Segue's own output that comes back into its input, by cable or DAW.

A sequencer that repeats a key says the very same as a key that goes round a loop. What tells them
apart: a message that is handed on a little later comes back later by as much, if it goes round; a
sequencer keeps its own time. So a message that has come back `SUSPECT` times after the same time is
held for `HOLD` seconds, `HOLDS` times, and if its return is late by as much each time, there is a
loop. No key is left out for this, and nothing is sent. The model's notes that all come back, with
their velocities and after the same time, prove one too: nobody plays like that.

While there is a loop, what was sent and comes back on time is left out, once for each time that it
was sent. The first that stays away suspends that, and `LOST` of them end it.

A way round that is too uneven for this is bounded all the same: the same message coming back more
than `FLOOD` times within a second, which nobody plays, is left out for the rest of it.
"""

from collections import Counter, deque
from collections.abc import Callable

from ..midi.messages import (
    ALL_SOUND_OFF,
    CHANNEL_MASK,
    CONTROL_CHANGE,
    KIND_MASK,
    NOTE_OFF,
    NOTE_ON,
    SYSTEM,
)

LONGEST = 0.65  # seconds; the longest way round
SUSPECT = 6  # returns after the same time; twice as many after each suspicion that proved wrong
MOST_SUSPECT = 96
RELAX = 60.0  # seconds without a wrong suspicion after which half as many returns will do
HOLDS = 3
HOLD = 0.045  # seconds: more than what a loop is uneven by
EVEN = 0.02  # seconds by which returns may be early or late
MODEL_PROOF = 8  # notes of the model's in a row
FLOOD = 60  # times a second
LOST = 3  # notes in a row that do not come back
GONE = 0.5  # seconds in which nothing else came back meanwhile
LATE = 0.048  # seconds by which what comes back of a loop may be off, where there is one
AGAIN = 2  # returns that make a suspicion where there was a loop lately
MOST_SENT = 4096


class Sent:
    """Something sent: how often it had come back, after `delay` seconds, and whether it did."""

    __slots__ = ("back", "body", "channel", "delay", "model", "rounds", "time")

    def __init__(self, time: float, message: bytes, model: bool) -> None:
        self.time, self.body, self.model = time, body_of(message), model
        self.channel = message[0] & CHANNEL_MASK
        self.rounds, self.delay, self.back = 0, 0.0, False


class EchoFilter:
    """Told of all that is sent, asked about all that comes in. `say(line)` takes lines for the log.

    `latency`: seconds after which what is sent comes back; None: it is not known to.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.enabled = True
        self.latency: float | None = None
        self._sent: deque[Sent] = deque()
        self._alike: dict[bytes, deque[Sent]] = {}  # those that have not come back
        self._held: deque[tuple[float, bytes, int, float]] = deque()
        self._now_handed: tuple[bytes, int, float] = (b"", 0, 0.0)  # what it is, rounds, delay
        self._down: Counter[int] = Counter()  # note-ons handed on whose note-off has not come
        self._suspect = SUSPECT
        self._wrong = 0.0  # when a suspicion last proved wrong
        self._run, self._run_delay = 0, 0.0  # of the model's notes that came back
        self._missing = 0
        self._last_back = 0.0  # when something last came back
        self._floods: dict[
            bytes, tuple[float, int]
        ] = {}  # since when, and how often each came back
        self._channels: set[int] = set()  # on which what is sent comes back

    @property
    def next_due(self) -> float | None:
        """When a message that is held is to be handed on."""
        return self._held[0][0] if self._held else None

    def sent(self, now: float, message: bytes, model: bool) -> None:
        """Something goes out."""
        if not self.enabled or message[0] >= SYSTEM:
            return
        self._forget(now)
        sent = Sent(now, message, model)
        if sent.body == self._now_handed[0]:
            _, sent.rounds, sent.delay = self._now_handed
        self._sent.append(sent)
        self._alike.setdefault(sent.body, deque()).append(sent)

    def take(self, now: float, message: bytes) -> bool:
        """Whether what comes in is to be handed on now; else it is held, or left out."""
        self._now_handed = (b"", 0, 0.0)
        if not self.enabled or not message or message[0] >= SYSTEM:
            return True
        self._forget(now)
        body = body_of(message)
        rounds, delay = self._returned(now, body, message[0] & CHANNEL_MASK)
        if self.latency is not None and self._is_echo(message, body, delay if rounds else None):
            return False
        if rounds and not self._ends_a_note(message, body) and self._is_flood(now, message):
            return False
        self._count(message, body)
        if self._held or (self.latency is None and rounds >= self._suspect):
            if rounds < 2 and any(held[1] == message for held in self._held):
                self._disprove(now, body)  # it comes again though it was not handed on
                rounds = 0
            suspected = self.latency is None and rounds >= self._suspect
            late = now + HOLD + 0.005 * (rounds % HOLDS) if suspected else now
            if self._held:
                late = max(late, self._held[-1][0])
            self._held.append((late, message, rounds, delay))
            return False
        self._now_handed = (body, rounds, delay)
        return True

    def release(self, now: float) -> bytes | None:
        """The next message that was held and whose time has come."""
        self._now_handed = (b"", 0, 0.0)
        if not self._held or now < self._held[0][0]:
            return None
        _, message, rounds, delay = self._held.popleft()
        self._now_handed = (body_of(message), rounds, delay)
        return message

    def _returned(self, now: float, body: bytes, channel: int) -> tuple[int, float]:
        """How often it has come back after the same time, and that time; 0: it was not sent."""
        best, rounds, delay = None, 0, 0.0
        for sent in self._alike.get(body, ()):
            age = now - sent.time
            if self.latency is not None and abs(age - self.latency) > LATE:
                continue
            even = sent.rounds and sent.channel == channel and abs(age - sent.delay) <= EVEN
            if best is None or (even and sent.rounds >= rounds):
                best, rounds = sent, sent.rounds + 1 if even else 1
                delay = sent.delay + (age - sent.delay) / 4 if even else age
        if best is None:
            return 0, 0.0
        best.back, self._last_back = True, now
        self._drop(best)
        if best.channel in self._channels and body[0] == NOTE_ON:
            self._missing = 0
        if best.model and body[0] == NOTE_ON:
            same = abs(now - best.time - self._run_delay) <= EVEN
            self._run, self._run_delay = (self._run + 1 if same else 1), now - best.time
        if self.latency is None and (rounds >= self._suspect + HOLDS or self._run >= MODEL_PROOF):
            self._prove(delay if rounds >= self._suspect + HOLDS else self._run_delay)
        if self.latency is not None:
            self._channels.add(best.channel)
        return rounds, delay

    def _prove(self, delay: float) -> None:
        self.latency, self._missing = delay, 0
        self._say(
            f"its own output comes back into its input after {1000 * delay:.0f} ms: from now on "
            "that is left out (take the connection away)"
        )

    def _doubt(self, now: float) -> None:
        self._suspect, self._wrong = min(2 * self._suspect, MOST_SUSPECT), now

    def _disprove(self, now: float, body: bytes) -> None:
        """What was suspected does not go round: what is held is handed on at once."""
        self._doubt(now)
        for sent in self._alike.get(body, ()):
            sent.rounds = 0
        self._held = deque((now, message, 0, 0.0) for _, message, _, _ in self._held)

    def _is_echo(self, message: bytes, body: bytes, delay: float | None) -> bool:
        """Whether to leave it out, where there is a loop."""
        if delay is None or self._missing or _silences(body):
            return False
        return not self._ends_a_note(message, body)

    def _ends_a_note(self, message: bytes, body: bytes) -> bool:
        return body[0] == NOTE_OFF and self._down[_key(message)] > 0

    def _is_flood(self, now: float, message: bytes) -> bool:
        """Whether a message has come back more often lately than anybody plays it."""
        since, count = self._floods.get(message, (now, 0))
        if now - since >= 1.0:
            since, count = now, 0
        if len(self._floods) >= MOST_SENT:
            self._floods.clear()
        self._floods[message] = since, count + 1
        return count >= FLOOD and not _silences(body_of(message))

    def _count(self, message: bytes, body: bytes) -> None:
        if body[0] == NOTE_ON:
            self._down[_key(message)] += 1
        elif body[0] == NOTE_OFF and self._down[_key(message)]:
            self._down[_key(message)] -= 1

    def _forget(self, now: float) -> None:
        """What was sent too long ago to come back."""
        if self._suspect > SUSPECT and now - self._wrong > RELAX:
            self._suspect, self._wrong = max(SUSPECT, self._suspect // 2), now
        longest = LONGEST if self.latency is None else self.latency + 2 * LATE
        while self._sent and (now - self._sent[0].time > longest or len(self._sent) > MOST_SENT):
            old = self._sent.popleft()
            if not old.back:
                self._drop(old)
                if old.body[0] == NOTE_ON:
                    self._stayed_away(now, old)

    def _drop(self, sent: Sent) -> None:
        """It is waited for no more."""
        alike = self._alike[sent.body]
        alike.remove(sent)
        if not alike:
            del self._alike[sent.body]

    def _stayed_away(self, now: float, old: Sent) -> None:
        if old.model:
            self._run = 0
        if self.latency is None:
            if old.rounds >= self._suspect:
                self._doubt(now)
        elif old.channel in self._channels:
            self._missing += 1
            if self._missing >= LOST and now - self._last_back > GONE:
                self.latency, self._run, self._suspect = None, 0, AGAIN
                self._channels.clear()
                self._say("its own output no longer comes back into its input")


def body_of(message: bytes) -> bytes:
    """A message without its channel. Loops change the velocity of note-offs, so that is left out,
    and a note-on of velocity 0 is a note-off."""
    kind = message[0] & KIND_MASK
    if kind == NOTE_OFF or (kind == NOTE_ON and not message[2]):
        return bytes((NOTE_OFF, message[1]))
    return bytes((kind,)) + message[1:]


def _silences(body: bytes) -> bool:
    return body[0] == CONTROL_CHANGE and body[1] == ALL_SOUND_OFF


def _key(message: bytes) -> int:
    return (message[0] & CHANNEL_MASK) << 7 | message[1]
