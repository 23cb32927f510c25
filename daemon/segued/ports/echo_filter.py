"""Detects and cuts MIDI feedback: Segue's output that returns to its input by a cable or a DAW.

A note that circulates in a loop looks like a sequencer that repeats a note. The difference: if the
message is passed on a little later, a circulating one returns later by the same amount, while a
sequencer keeps its time. So a message that has returned `SUSPECT` times with the same latency is
delayed by each of `HOLDS`. If its return is late by as much each time, within `STEADY`, there is a
loop. The next but one note of a sequencer may look like one late return, but not like all: the
delays differ by more than twice `STEADY`. No message is dropped for this test, and none is sent.
Another proof is that `MODEL_PROOF` notes of the model in a row return with their velocities and the
same latency. One that repeats the note before is not counted: sequencers repeat notes, too.

While there is a loop, each sent message that returns on time is dropped once. The first one that
does not return suspends this, and `LOST` of them end it.

A loop with irregular latency is limited in any case: a message that returns more than `FLOOD` times
within a second, which nobody plays, is dropped for the rest of that second.
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

LONGEST = 0.65  # seconds; the longest latency of a loop
SUSPECT = 6  # returns with the same latency that are suspicious; doubled after a wrong suspicion
MOST_SUSPECT = 96  # the most that this number is raised to
RELAX = 60.0  # seconds without a wrong suspicion after which this number is halved
HOLDS = 0.045, 0.065, 0.085  # seconds of the delays whose returns prove a loop
EVEN = 0.02  # seconds by which equal latencies may differ
STEADY = 0.0095  # seconds by which those of delayed messages may differ from the mean before
MODEL_PROOF = 8  # returned notes of the model in a row that prove a loop
FLOOD = 60  # returns of a message per second
LOST = 3  # sent notes in a row without a return that end a loop
GONE = 0.5  # seconds without any return that are needed for that
LATE = 0.048  # seconds by which the latency of a known loop may vary
AGAIN = 2  # suspicious returns when there was a loop recently
MOST_SENT = 4096  # sent messages remembered


class Sent:
    """A sent message.

    `rounds`: how often it had already returned, with the latency `delay`; `back`: it has returned.
    """

    __slots__ = ("back", "body", "channel", "delay", "model", "rounds", "time")

    def __init__(self, time: float, message: bytes, model: bool) -> None:
        self.time, self.body, self.model = time, body_of(message), model
        self.channel = message[0] & CHANNEL_MASK
        self.rounds, self.delay, self.back = 0, 0.0, False


class EchoFilter:
    """Sees all sent and all received messages. `say(line)` is called with lines for the log.

    `latency`: that of the loop, in seconds; None: there is none.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.enabled = True
        self.latency: float | None = None
        self._sent: deque[Sent] = deque()
        self._alike: dict[bytes, deque[Sent]] = {}  # body -> sent messages without a return
        self._held: deque[tuple[float, bytes, int, float]] = deque()
        self._passing: tuple[bytes, int, float] = (b"", 0, 0.0)  # body, rounds, delay
        self._down: Counter[int] = Counter()  # key -> passed note-ons without a note-off
        self._suspect = SUSPECT
        self._wrong = 0.0  # when a suspicion last proved wrong
        self._run, self._run_delay = 0, 0.0  # returned notes of the model in a row, their latency
        self._run_body = b""  # the last of them
        self._missing = 0
        self._last_back = 0.0  # when a message last returned
        self._floods: dict[
            bytes, tuple[float, int]
        ] = {}  # message -> since when, number of returns
        self._channels: set[int] = set()  # the channels of the loop

    @property
    def next_due(self) -> float | None:
        """When a delayed message is to be passed on; None: there is none."""
        return self._held[0][0] if self._held else None

    def sent(self, now: float, message: bytes, model: bool) -> None:
        """Process a message that is sent now. `model`: it is one of the model's."""
        if not self.enabled or message[0] >= SYSTEM:
            return
        self._forget(now)
        sent = Sent(now, message, model)
        if sent.body == self._passing[0]:
            _, sent.rounds, sent.delay = self._passing
        self._sent.append(sent)
        self._alike.setdefault(sent.body, deque()).append(sent)

    def take(self, now: float, message: bytes) -> bool:
        """Whether to pass a received message on now; otherwise it is delayed or dropped."""
        self._passing = (b"", 0, 0.0)
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
                self._disprove(now, body)  # it arrives again although it was not passed on
                rounds = 0
            suspected = self.latency is None and rounds >= self._suspect
            late = now + HOLDS[rounds % len(HOLDS)] if suspected else now
            if self._held:
                late = max(late, self._held[-1][0])
            self._held.append((late, message, rounds, delay))
            return False
        self._passing = (body, rounds, delay)
        return True

    def release(self, now: float) -> bytes | None:
        """The next delayed message, if it is due."""
        self._passing = (b"", 0, 0.0)
        if not self._held or now < self._held[0][0]:
            return None
        _, message, rounds, delay = self._held.popleft()
        self._passing = (body_of(message), rounds, delay)
        return message

    def _returned(self, now: float, body: bytes, channel: int) -> tuple[int, float]:
        """How often a message has returned with the same latency, and that; 0: it was not sent."""
        best, rounds, delay = None, 0, 0.0
        for sent in self._alike.get(body, ()):
            age = now - sent.time
            if self.latency is not None and abs(age - self.latency) > LATE:
                continue
            held = sent.rounds >= self._suspect
            even = abs(age - sent.delay) <= (STEADY if held else EVEN)
            even = bool(sent.rounds) and sent.channel == channel and even
            if best is None or (even and sent.rounds >= rounds):
                best, rounds, delay = sent, 1, age
                if even:
                    rounds = sent.rounds + 1
                    delay = sent.delay + (0.0 if held else (age - sent.delay) / 4)
        if best is None:
            return 0, 0.0
        best.back, self._last_back = True, now
        self._drop(best)
        if best.channel in self._channels and body[0] == NOTE_ON:
            self._missing = 0
        if best.model and body[0] == NOTE_ON:
            same = abs(now - best.time - self._run_delay) <= EVEN
            another = body != self._run_body
            self._run, self._run_delay = (self._run + another if same else 1), now - best.time
            self._run_body = body
        proved = rounds >= self._suspect + len(HOLDS)
        if self.latency is None and (proved or self._run >= MODEL_PROOF):
            self._prove(delay if proved else self._run_delay)
        if self.latency is not None:
            self._channels.add(best.channel)
        return rounds, delay

    def _prove(self, delay: float) -> None:
        self.latency, self._missing = delay, 0
        self._say(
            f"MIDI feedback: the output returns to the input after {1000 * delay:.0f} ms; the echo "
            "filter removes it from now on (disconnect the two)"
        )

    def _doubt(self, now: float) -> None:
        self._suspect, self._wrong = min(2 * self._suspect, MOST_SUSPECT), now

    def _disprove(self, now: float, body: bytes) -> None:
        """A suspicion was wrong: pass the delayed messages on at once."""
        self._doubt(now)
        for sent in self._alike.get(body, ()):
            sent.rounds = 0
        self._held = deque((now, message, 0, 0.0) for _, message, _, _ in self._held)

    def _is_echo(self, message: bytes, body: bytes, delay: float | None) -> bool:
        """Whether to drop a message, when there is a loop."""
        if delay is None or self._missing or _silences(body):
            return False
        return not self._ends_a_note(message, body)

    def _ends_a_note(self, message: bytes, body: bytes) -> bool:
        return body[0] == NOTE_OFF and self._down[_key(message)] > 0

    def _is_flood(self, now: float, message: bytes) -> bool:
        """Whether a message has returned more often than `FLOOD` within a second."""
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
        """Forget messages that were sent too long ago to return."""
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
        """Stop waiting for a message's return."""
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
                self._say("MIDI feedback has ended: the output no longer returns to the input")


def body_of(message: bytes) -> bytes:
    """A message without its channel, and without the velocity of a note-off, which loops change.

    A note-on of velocity 0 is a note-off.
    """
    kind = message[0] & KIND_MASK
    if kind == NOTE_OFF or (kind == NOTE_ON and not message[2]):
        return bytes((NOTE_OFF, message[1]))
    return bytes((kind,)) + message[1:]


def _silences(body: bytes) -> bool:
    return body[0] == CONTROL_CHANGE and body[1] == ALL_SOUND_OFF


def _key(message: bytes) -> int:
    return (message[0] & CHANNEL_MASK) << 7 | message[1]
