"""Constrained decoding: masks the tokens that cannot come next.

The rules are those of the encoder, so that a reply is what the encoder would have written: no
note-off for a pitch that the model does not hold, no note-on for one that sounds, note-offs before
note-ons within a step, a note lasts at least one step, the first note has a velocity, a velocity is
followed by a note-on and differs from the previous one, a time shift below the longest is followed
by an event.
"""

from collections.abc import Iterable
from copy import copy

import numpy as np

from ..arrays import Floats
from ..tokens.vocabulary import NOTE_OFF, NOTE_ON, TIME_SHIFT, VELOCITY, Vocabulary
from .rate_limit import RateLimit
from .shaping import FORBIDDEN

ANY_PITCH = np.zeros(128, np.float32)
UNLIMITED = 1 << 20  # notes per second


class Constraints:
    """`bias` (V,) float32: 0 for tokens that may come next, -inf for all others.

    `allowed` (128,): 0 for the pitches of new notes, -inf for the rest. `own`, `others`: pitches
    that sound. No note begins while `most` of its own sound, or earlier than `rate_limit` allows.
    `must_play` forbids time shifts until the first note, if a note is possible, so that a reply
    starts on time. If `velocity_bin` is unknown (-1), a velocity must precede the first note.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        allowed: Floats = ANY_PITCH,
        velocity_bin: int = -1,
        own: Iterable[int] = (),
        others: Iterable[int] = (),
        most: int = 128,
        must_play: bool = False,
        rate_limit: RateLimit | None = None,
    ) -> None:
        self.vocabulary = vocabulary
        self._table = vocabulary.tokens
        self.bias = np.empty(len(vocabulary), np.float32)
        self._parts = self._parts_of_bias()
        self._on = allowed.copy()
        self._off = np.full(128, FORBIDDEN)
        self._allowed = allowed
        self._most = most
        self._begun: list[int] = []  # own notes that began in the current step
        self.own: dict[int, None] = {}
        self._velocity_bin = velocity_bin
        self._must_play = must_play
        self._rate_limit = rate_limit or RateLimit(UNLIMITED, 1)
        for pitch in others:
            self._on[pitch] = FORBIDDEN
        for pitch in own:
            self.own[pitch] = None
            self._on[pitch] = FORBIDDEN
            self._off[pitch] = 0.0
        self._free = int(np.count_nonzero(self._on == 0.0))  # number of pitches for a new note
        self._after(shift=True, off=True)

    def copy(self) -> "Constraints":
        """An independent copy."""
        twin = copy(self)
        twin.bias, twin._on, twin._off = self.bias.copy(), self._on.copy(), self._off.copy()
        twin._parts = twin._parts_of_bias()
        twin._begun, twin.own = self._begun.copy(), self.own.copy()
        twin._rate_limit = self._rate_limit.copy()
        return twin

    def close(self) -> None:
        """Allow no new notes from now on; sounding ones may end."""
        self._on[:] = FORBIDDEN
        self._free = 0
        self._allowed = np.full(128, FORBIDDEN)
        self._parts[NOTE_ON][:] = FORBIDDEN
        self._parts[VELOCITY][:] = FORBIDDEN

    def wait(self, steps: int) -> None:
        """Require a time shift of at least `steps` steps next (or the longest one)."""
        shifts = self._parts[TIME_SHIFT]
        first = min(steps, len(shifts)) - 1
        allowed = shifts[first:].copy()
        self.bias[:] = FORBIDDEN
        shifts[first:] = allowed

    def accept(self, id: int) -> None:
        """Update `bias` for the token after `id`."""
        kind, value = self._table[id]
        if kind == VELOCITY:
            self._velocity_bin = value
            self.bias[:] = FORBIDDEN
            self._parts[NOTE_ON][:] = self._on
        elif kind == NOTE_ON:
            self.own[value] = None
            self._begun.append(value)
            self._rate_limit.begin()
            self._on[value] = FORBIDDEN
            self._free -= 1
            self._must_play = False
            self._after(shift=True, off=False)
        elif kind == NOTE_OFF:
            self.own.pop(value, None)
            self._off[value] = FORBIDDEN
            self._on[value] = self._allowed[value]
            self._free += int(self._allowed[value] == 0.0)
            self._after(shift=True, off=True)
        else:
            for pitch in self._begun:
                self._off[pitch] = 0.0
            self._begun.clear()
            self._rate_limit.passes(value)
            self._after(shift=value == self.vocabulary.max_shift(), off=True)

    def _parts_of_bias(self) -> dict[str, Floats]:
        parts = {}
        for kind in (NOTE_ON, NOTE_OFF, TIME_SHIFT, VELOCITY):
            ids = self.vocabulary.ids(kind)
            parts[kind] = self.bias[ids.start : ids.stop]
        return parts

    def _after(self, shift: bool, off: bool) -> None:
        wait = self._rate_limit.wait
        might_begin = len(self.own) < self._most and self._free > 0
        can_begin = might_begin and not wait
        known = self._velocity_bin >= 0
        self._parts[NOTE_ON][:] = self._on if can_begin and known else FORBIDDEN
        self._parts[NOTE_OFF][:] = self._off if off else FORBIDDEN
        velocity, shifts = self._parts[VELOCITY], self._parts[TIME_SHIFT]
        velocity[:] = 0.0 if can_begin else FORBIDDEN
        if known:
            velocity[self._velocity_bin] = FORBIDDEN
        if can_begin or self.own:
            shifts[:] = 0.0 if shift and not (self._must_play and can_begin) else FORBIDDEN
        else:  # no event is possible yet
            soonest = min(wait, len(shifts)) - 1 if might_begin else -1
            shifts[:] = 0.0
            shifts[:soonest] = FORBIDDEN
