"""Steering: the parameters of playing from options, knobs and the performer's key."""

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
      "polyphony", "quantize_strength", "timekeeping", "ending", "focus",
      "motifs", "texture", "contrast", "swing"),
)  # fmt: skip
"""Knobs that affect what is drawn."""

HARD = ("key", "scale", "polyphony")
"""Knobs that set hard limits, which apply from the very next note on."""


class Steering:
    """Combines options, knobs and the performer's key into `playing`."""

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
        """Follows the performer's tempo."""
        self.apply(sampling, lookahead, sync)

    def apply(self, sampling: SamplingOptions, lookahead: float, sync: SyncOptions) -> None:
        """Replace the options. The seed changes only if the options set another one."""
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
        """The present parameters of playing."""
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
            motifs=knobs.motifs,
            texture=knobs.texture,
            contrast=knobs.contrast,
            swing=knobs.swing,
        )

    @property
    def tonic(self) -> int | None:
        """The tonic's pitch class, of the key that is set or else of the performer's, or None."""
        if self._knobs.key in NOTE_NAMES:
            return NOTE_NAMES.index(self._knobs.key)
        return self.key.tonic

    @property
    def minor(self) -> bool:
        """Whether the key that is set, or otherwise the performer's, is minor."""
        if self._knobs.key in NOTE_NAMES:
            return 4 not in SCALES[self._knobs.scale]
        return self.key.minor

    @property
    def pitch_classes(self) -> frozenset[int]:
        """The pitch classes of new notes, by the knobs `key` and `scale`.

        With `key: follow`, all are allowed until the key is known; then the scales major and minor
        follow the performer's mode, and other scales use the performer's tonic.
        """
        tonic, scale = self.tonic, self._knobs.scale
        if self._knobs.key == "off" or tonic is None:
            return ALL
        if self._knobs.key == "follow" and scale in ("major", "minor"):
            scale = "minor" if self.key.minor else "major"
        return pitch_classes(tonic, scale)

    def hear(self, event: Event) -> bool:
        """Process an event of the performer; return whether `playing` has changed."""
        if isinstance(event, NoteOn):
            self.tempo.note_on(event.time, event.pitch, event.velocity)
        return isinstance(event, NoteOn) and self.key.hear(event) and self._knobs.key == "follow"

    def forget(self) -> None:
        """Forget key and tempo."""
        self.key = KeyFollower()
        self.tempo.forget()
