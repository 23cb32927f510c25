"""From knobs to playing: what the model may and would rather play just now."""

from dataclasses import replace

from ..control.knobs import NOTE_NAMES, SCALES, Knobs
from ..timing.clock import GRID
from ..timing.options import SyncOptions
from ..timing.tempo_follower import TempoFollower
from ..tokens.events import Event, NoteOn
from .options import SamplingOptions
from .scales import ALL, KeyFollower, pitch_classes
from .shaping import Playing

SHAPING = (
    *("temperature", "top_p", "quoting", "density", "register", "dynamics", "key", "scale",
      "polyphony", "quantize_strength", "timekeeping", "ending", "focus"),
)  # fmt: skip
"""Knobs that change what is drawn next."""

HARD = ("key", "scale", "polyphony")
"""Those of them that are promises: they hold from the very next note on."""


class Steering:
    """Follows the knobs and the performer's key; `playing` is the sum of it."""

    def __init__(
        self,
        sampling: SamplingOptions,
        lookahead: float,
        sync: SyncOptions,
        knobs: Knobs,
        seed: int,
    ) -> None:
        self._knobs, self._seed, self._set_seed = knobs, seed, sampling.seed
        self.key = KeyFollower()
        """The key that the performer plays in."""
        self.tempo = TempoFollower()
        """The performer's tempo, as far as their playing has one."""
        self.apply(sampling, lookahead, sync)

    def apply(self, sampling: SamplingOptions, lookahead: float, sync: SyncOptions) -> None:
        """Go on with other options. The seed is another one where another is set."""
        if sampling.seed != self._set_seed and isinstance(sampling.seed, int):
            self._seed = sampling.seed
        self._set_seed = sampling.seed
        self._fixed = Playing(
            lowest_pitch=sampling.lowest_pitch,
            highest_pitch=sampling.highest_pitch,
            longest_note=sampling.longest_note,
            max_notes_per_second=sampling.max_notes_per_second,
            lookahead=lookahead,
            seed=self._seed,
            grid=GRID[sync.grid],
            late_notes=sync.late_notes,
            late_after=sync.late_after_ms / 1000,
            early=sync.output_latency_ms / 1000,
            candidates=sampling.candidates,
        )

    @property
    def playing(self) -> Playing:
        """How to play from now on."""
        knobs = self._knobs
        return replace(
            self._fixed,
            temperature=knobs.temperature,
            top_p=knobs.top_p,
            quoting=knobs.quoting,
            density=knobs.density,
            register=knobs.register,
            dynamics=knobs.dynamics,
            polyphony=knobs.polyphony,
            pitch_classes=self.pitch_classes,
            quantize_strength=knobs.quantize_strength,
            timekeeping=knobs.timekeeping,
            ending=knobs.ending,
            focus=knobs.focus,
        )

    @property
    def tonic(self) -> int | None:
        """The pitch class of the key that is set or, where none is, that was heard."""
        if self._knobs.key in NOTE_NAMES:
            return NOTE_NAMES.index(self._knobs.key)
        return self.key.tonic

    @property
    def minor(self) -> bool:
        """Whether the key that is set or, where none is, that was heard is minor."""
        if self._knobs.key in NOTE_NAMES:
            return 4 not in SCALES[self._knobs.scale]
        return self.key.minor

    @property
    def pitch_classes(self) -> frozenset[int]:
        """What new notes may be: the knobs `key` and `scale`.

        A followed key that is not known yet allows all. Followed, major and minor are as heard; any
        other scale stands on the tonic that was heard.
        """
        tonic, scale = self.tonic, self._knobs.scale
        if self._knobs.key == "off" or tonic is None:
            return ALL
        if self._knobs.key == "follow" and scale in ("major", "minor"):
            scale = "minor" if self.key.minor else "major"
        return pitch_classes(tonic, scale)

    def hear(self, event: Event) -> bool:
        """The performer did something; whether that changed how to play."""
        if isinstance(event, NoteOn):
            self.tempo.note_on(event.time, event.pitch, event.velocity)
        return isinstance(event, NoteOn) and self.key.hear(event) and self._knobs.key == "follow"

    def forget(self) -> None:
        """Nothing was heard."""
        self.key = KeyFollower()
        self.tempo.forget()
