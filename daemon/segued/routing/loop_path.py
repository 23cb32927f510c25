"""A way by which Segue's own output comes back into its input, and the question that proves it.

What a performer plays can say the same as what was sent, again and again and evenly (a sequencer,
an arpeggiator, two hands in unison), so no such likeness proves anything. A probe does: note-offs
of two far keys that nobody holds, sent together. No keyboard lets go of keys that are not down.
"""

from collections import Counter

LONGEST = 0.6  # seconds; the longest way that is looked for
TOLERANCE = 0.025  # seconds by which what comes back may be early or late, however even it was
SHARE = 0.05  # of the latency, by which it may be early or late, too
FIRST_SPREAD = 0.01  # seconds; how uneven a loop is held to be that has come back but once

PAIRS = tuple((key, 127 - key) for key in range(1, 17))
"""Keys of probes, beyond a piano's on both sides; as many as may be on their way at a time."""
PROBE_VELOCITY = 0


class Path:
    """What goes out on `channel` comes in on `back`, `latency` seconds later.

    `since`: when that was proved, `late`: the age in seconds from which on it is overdue.
    """

    __slots__ = ("_spread", "back", "channel", "early", "late", "latency", "since")

    def __init__(self, now: float, channel: int, back: int, latency: float) -> None:
        self.since, self.channel, self.back = now, channel, back
        self.latency, self._spread = latency, FIRST_SPREAD
        self._measure()

    def on_time(self, age: float) -> bool:
        """Whether something sent `age` seconds ago may come back now."""
        return self.early <= age < self.late

    def learn(self, age: float) -> None:
        """A probe came back at this age."""
        self._spread += (abs(age - self.latency) - self._spread) / 16
        self.latency += (age - self.latency) / 16
        self._measure()

    def _measure(self) -> None:
        tolerance = TOLERANCE + SHARE * self.latency + 4 * self._spread
        self.early, self.late = self.latency - tolerance, self.latency + tolerance


class Probe:
    """A question that was sent on `channel` at `time`: two note-offs, of the `keys`."""

    __slots__ = ("_came", "_complete", "channel", "found", "keys", "time")

    def __init__(self, time: float, channel: int, keys: tuple[int, int]) -> None:
        self.time, self.channel, self.keys = time, channel, keys
        self.found: list[Path] = []  # the paths by which it came back
        self._came: Counter[tuple[int, int]] = Counter()
        self._complete: Counter[int] = Counter()

    @property
    def messages(self) -> list[bytes]:
        """What to send."""
        return [bytes((0x80 | self.channel, key, PROBE_VELOCITY)) for key in self.keys]

    def take(self, channel: int, key: int) -> bool:
        """One of its note-offs came in on a channel; whether all of it has now come once more."""
        self._came[channel, key] += 1
        complete = min(self._came[channel, key] for key in self.keys)
        if complete == self._complete[channel]:
            return False
        self._complete[channel] = complete
        return True


def is_probe(message: bytes) -> bool:
    """Whether this is half a question: nothing else that is sent is like it."""
    return message[0] & 0xF0 == 0x80 and message[2] == PROBE_VELOCITY
