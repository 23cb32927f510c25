"""Its own output that comes back into its input: proved, and then neither heard nor sent round
again.

A cable, a DAW or a synth may return what Segue sends. What comes in and says the same as something
sent up to `LONGEST` before may be that, or a performer who plays it, so it is heard, and the guard
asks: it sends a probe (see `loop_path`). Nothing is ever ignored unless a probe came back.

Where one did, there is a loop, and its latency is known. What of the echo was heard until then is
ended, all of it (`alarm`: everything is to be silenced, once), and from then on each thing that was
sent is ignored once when it comes back on time. What a performer plays in the meantime is heard.

The proof has to be given anew: while something is sent, a probe goes out every `PROVE_AGAIN`
seconds. The first that does not come back ends it. Only what comes in within that time, says the
same as something sent, and comes exactly when its echo would, can be lost to the performer.

Until there is a proof, an echo that is passed thru goes round: not more than `MOST_ROUNDS` messages
before a probe is sent after it, mostly one, and what was on its way until that is back.
"""

import math
from collections import Counter
from collections.abc import Callable, Container, Sequence
from itertools import islice

from ..music.midi import SOSTENUTO, SUSTAIN, SUSTAIN_DOWN
from .active_notes import ALL_NOTES_OFF, ALL_SOUND_OFF
from .loop_path import LONGEST, PAIRS, Path, Probe
from .loop_sent import CONTROLLER, NOTE_OFF, NOTE_ON, Outbox, Sent, body_of

ASK_AGAIN = 2.0  # seconds after a probe until a single likeness is worth another
MOST_ROUNDS = 32  # likenesses that are worth another at once
PROVE_AGAIN = 1.0  # seconds
ANSWERED = 0.02  # seconds after which an answered probe's keys may serve another
MOST_PATHS = 64
MOST_HELD = 32  # note-ons of one key: some machines never send a note-off

Keys = Container[tuple[int, int]]
"""(channel, pitch) of what sounds on the wire."""

PEDALS = {bytes((CONTROLLER, pedal)) for pedal in (SUSTAIN, SOSTENUTO)}
PANIC = bytes((CONTROLLER, ALL_SOUND_OFF, 0))  # as it is sent, without its channel
_SAME = 8  # of what was sent alike, the last ones are looked at for their channels


class LoopGuard:
    """Told of all that is sent, asked about all that comes in, both in order of time.

    `say(line)` takes what the performer should know. `alarm`: what was heard was not the
    performer, or what was ignored perhaps was; all is to be silenced. `panicked`: so it is, since
    the echo of a panic may be another one. Whoever does that unsets it.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._sent = Outbox()
        self._begun = False  # whether any note, sent or played, since a panic was sent
        self._held: Counter[tuple[int, int]] = Counter()  # keys that the performer holds
        self._pedals: set[tuple[int, bytes]] = set()  # those down, by channel and controller
        self._echoed: Counter[tuple[int, int]] = Counter()  # note-offs that are to be ignored
        self._paths: list[Path] = []
        self._probes: list[Probe] = []  # on their way, or lost
        self._probed = [-math.inf] * 16  # of each channel: when the last one was sent
        self._likenesses = [0] * 16  # of each channel: since then
        self._heard: set[int] = set()  # channels of which perhaps an echo was heard
        self._asks: set[int] = set()  # channels on which to send one now
        self._doubt = math.inf  # when an end was ignored that may have been the performer's
        self.alarm = self.panicked = False

    @property
    def latency(self) -> float | None:
        """Seconds after which what is sent comes back; None: it is not known to."""
        return self._paths[0].latency if self._paths else None

    @property
    def next_due(self) -> float | None:
        """When to `look` at the latest."""
        if not self._paths or not self._probes:
            return None
        return min(map(self._overdue, self._probes))

    def sent(self, now: float, message: bytes, sounding: Keys) -> Sequence[bytes]:
        """Something goes out; what to send before it, to find out whether it comes back."""
        status = message[0]
        if status >= 0xF0:
            return ()
        self._forget_old(now)
        channel, body = status & 0x0F, body_of(message)
        sent = Sent(now, channel, body)
        self._sent.add(sent)
        if body[0] == NOTE_ON or body == PANIC:
            self._begun = body != PANIC
        if not self._paths:
            return ()
        if self.alarm and body[0] == NOTE_OFF:
            self._expect_note_off(now, sent)
        if now - self._probed[channel] < PROVE_AGAIN:
            return ()
        self._asks.add(channel)
        return self.questions(now, sounding)

    def look(self, now: float) -> bool:
        """Time passes; whether there are `questions` to send, or an alarm."""
        if self._probes:
            self._settle(now)
        return bool(self._asks) or self.alarm or self.panicked

    def questions(self, now: float, sounding: Keys) -> list[bytes]:
        """What to send now, to find out whether it comes back."""
        messages: list[bytes] = []
        for channel in sorted(self._asks):
            if len(self._probes) == len(PAIRS):
                self._make_room(now)
            on_their_way = [probe.keys for probe in self._probes]
            for keys in PAIRS:
                if keys not in on_their_way and not any(
                    (channel, key) in sounding or (channel, key) in self._held for key in keys
                ):
                    probe = Probe(now, channel, keys)
                    self._probes.append(probe)
                    self._probed[channel], self._likenesses[channel] = now, 0
                    self._asks.discard(channel)
                    messages += probe.messages
                    break
        return messages

    def _make_room(self, now: float) -> None:
        """All pairs of keys are on their way (a panic is worth a question on each channel): what
        has come back once does not wait for longer ways by which it may come again."""
        old = (p for p in self._probes if p.found and now >= p.time + ANSWERED)
        if (done := next(old, None)) and not any(self._awaited(done, p) for p in self._paths):
            self._probes.remove(done)

    def echo(self, now: float, message: bytes) -> bool:
        """Whether a message that came in is nothing but what was sent."""
        if message[0] >= 0xF0:
            return False
        self._forget_old(now)
        if self._probes:
            self._settle(now)
        body, channel = body_of(message), message[0] & 0x0F
        if body[0] == NOTE_OFF:
            return self._is_note_off(now, channel, body)
        if self._paths and self._comes_back(now, channel, body):
            if body[0] == NOTE_ON:
                self._echoed[channel, body[1]] += 1
            elif body == PANIC and self._begun:
                self._begun, self.panicked = False, True
            elif (channel, body[:2]) in self._pedals and body[2] < SUSTAIN_DOWN:
                self._doubt_of(now, channel)
            return True
        self._suspect(now, body)
        if body[0] == NOTE_ON:
            key = (channel, body[1])
            self._held[key] = min(self._held[key] + 1, MOST_HELD)
            self._begun = True
        elif body[:2] in PEDALS:
            change = self._pedals.add if body[2] >= SUSTAIN_DOWN else self._pedals.discard
            change((channel, body[:2]))
        elif body[0] == CONTROLLER and body[1] >= ALL_SOUND_OFF:
            return self._is_mode(channel, body)
        return False

    def _is_mode(self, channel: int, body: bytes) -> bool:
        """A channel mode message. A panic since which no note began needs no other; so one does
        not call for the next."""
        if body[1] == ALL_SOUND_OFF or body[1] >= ALL_NOTES_OFF:
            for key in [key for key in self._held if key[0] == channel]:
                del self._held[key]
        return body == PANIC and not self._begun and bool(self._sent.alike(body))

    def _is_note_off(self, now: float, channel: int, body: bytes) -> bool:
        key = (channel, body[1])
        held, echoed = self._held[key], self._echoed[key]
        if not held and self._answers(now, channel, body[1]):
            return True
        if (not held or echoed) and self._comes_back(now, channel, body):
            if held:
                self._doubt_of(now, channel)
        elif held or not echoed:
            _take_from(self._held, key)
            self._suspect(now, body)
            return False
        _take_from(self._echoed, key)
        return True

    def _doubt_of(self, now: float, channel: int) -> None:
        """What was ignored may have been the performer's: find out whether there is a loop yet."""
        self._doubt = now
        self._asks.update(path.channel for path in self._paths if path.back == channel)

    def _comes_back(self, now: float, channel: int, body: bytes) -> bool:
        """Whether this is something that was sent; then that has come back by this path."""
        for path in self._paths:
            if path.back != channel:
                continue
            for sent in self._sent.alike(body):
                age = now - sent.time
                if sent.channel == path.channel and path.on_time(age) and path not in sent.back:
                    sent.back += (path,)
                    return True
        return False

    def _suspect(self, now: float, body: bytes) -> None:
        """Something is heard. If it says the same as something sent: perhaps it is that."""
        alike = self._sent.alike(body)
        for channel in {sent.channel for sent in islice(reversed(alike), _SAME)}:
            self._likenesses[channel] += 1
            self._heard.add(channel)
            long_ago = now - self._probed[channel] >= ASK_AGAIN
            if long_ago or self._likenesses[channel] >= MOST_ROUNDS:
                self._asks.add(channel)

    def _answers(self, now: float, channel: int, key: int) -> bool:
        """Whether the note-off of a key that nobody holds is a probe's."""
        for probe in self._probes:
            if key in probe.keys:
                if probe.take(channel, key):
                    self._came_back(now, channel, probe)
                return True
        return False

    def _came_back(self, now: float, channel: int, probe: Probe) -> None:
        """A probe came back, and so proved a path."""
        age = now - probe.time
        for path in self._paths:
            known = (path.channel, path.back) == (probe.channel, channel)
            if known and path.on_time(age) and path not in probe.found:
                path.learn(age)
                probe.found.append(path)
                if self._doubt <= probe.time:
                    self._doubt = math.inf
                elif self._doubt < math.inf:
                    self._asks.add(probe.channel)
                return
        if len(self._paths) >= MOST_PATHS:
            return
        path = Path(now, probe.channel, channel, age)
        if not self._paths:
            self._say(
                f"its own output comes back into its input after {1000 * age:.0f} ms: from now on "
                "that is ignored (take the connection away)"
            )
        self._paths.append(path)
        probe.found.append(path)
        if probe.channel in self._heard:
            self._start_over(now)

    def _start_over(self, now: float) -> None:
        """What was heard until now may have been an echo: it is ended, and its note-offs ignored
        when they come."""
        self._heard.clear()
        self._held.clear()
        self._pedals.clear()
        self._echoed.clear()
        for sent in self._sent:
            if sent.body[0] == NOTE_OFF:
                self._expect_note_off(now, sent)
        self.alarm = True

    def _expect_note_off(self, now: float, sent: Sent) -> None:
        """Its note-on was heard before there was a proof, and is silenced already."""
        for path in self._paths:
            if path.channel == sent.channel and now - sent.time < path.late:
                self._echoed[path.back, sent.body[1]] += 1

    def _overdue(self, probe: Probe) -> float:
        """When there is something to conclude from what has not come back of a probe."""
        lates = [path.late for path in self._paths if self._awaited(probe, path)]
        return probe.time + min(lates, default=LONGEST)

    def _awaited(self, probe: Probe, path: Path) -> bool:
        return (
            path.channel == probe.channel and probe.time >= path.since and path not in probe.found
        )

    def _settle(self, now: float) -> None:
        """What did not come back is lost, and so is the proof."""
        for probe in self._probes:
            for path in [path for path in self._paths if self._awaited(probe, path)]:
                if now >= probe.time + path.late:
                    self._lose(path)
        self._probes = [probe for probe in self._probes if now < self._overdue(probe)]

    def _lose(self, path: Path) -> None:
        self._paths.remove(path)
        if self._doubt < math.inf:
            self._doubt, self.alarm = math.inf, True
        if not self._paths:
            self._echoed.clear()
            self._say("its own output no longer comes back into its input")

    def _forget_old(self, now: float) -> None:
        latest = max((path.late for path in self._paths), default=0.0) if self._paths else 0.0
        self._sent.forget(now - max(LONGEST, latest))


class NoGuard(LoopGuard):
    """For who wants none: nothing is an echo."""

    def sent(self, now: float, message: bytes, sounding: Keys) -> Sequence[bytes]:
        """See LoopGuard."""
        return ()

    def echo(self, now: float, message: bytes) -> bool:
        """See LoopGuard."""
        return False


def _take_from(counts: Counter[tuple[int, int]], key: tuple[int, int]) -> None:
    if counts[key] > 1:
        counts[key] -= 1
    else:
        counts.pop(key, None)
