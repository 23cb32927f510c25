"""The biases on the logits of a plan: quoting, motifs, texture and pulse, each if it is wanted."""

from collections.abc import Mapping, Sequence
from copy import copy

from ..arrays import Floats
from ..recall.motifs import Motifs
from ..recall.quoting import Place
from ..timing.pulse import Pulse
from ..tokens.events import NoteOff, NoteOn
from ..tokens.tokenizer import Decoder
from ..tokens.vocabulary import Vocabulary
from .context import Context
from .focus import faded
from .motif_bias import MotifBias
from .pulse_bias import PulseBias
from .reply import Reply
from .shaping import Playing
from .texture_bias import TextureBias

LOOKED_BACK = 160  # ids that are searched for the last pitches


class Biases:
    """The biases of one plan, whose times plus `offset` are those of the performance.

    `sounding`: the model's sounding pitches, if it continues a reply. `follow` must be called with
    each token of the plan.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        context: Context,
        playing: Playing,
        reply: Reply,
        sounding: Mapping[int, int],
        pulse: Pulse | None,
        motifs: Motifs | None,
        offset: float,
    ) -> None:
        self._quotes, self._quoting = context.quotes, playing.quoting
        self._place = _where(context) if self._quoting else Place()
        self._pulse = None
        if pulse is not None:
            self._pulse = PulseBias(vocabulary, pulse, playing.timekeeping, offset)
        self._motif_strength, self._motifs = playing.motifs, None
        if motifs is not None:
            self._motifs = MotifBias(vocabulary, motifs, playing, pulse, offset)
            if reply.begun:
                self._motifs.resume(context.motifs.answers_since(reply.begin), sounding)
        self._texture = None
        if playing.texture:
            self._texture = TextureBias(vocabulary, playing.texture, context.motifs.keys_at_once)

    def copy(self) -> "Biases":
        """An independent copy."""
        twin = copy(self)
        if self._motifs is not None:
            twin._motifs = self._motifs.copy()
        return twin

    def follow(self, id: int, step: int, events: Sequence[NoteOn | NoteOff]) -> None:
        """Process a token of the plan, at a step of it, with the events that it means."""
        if self._quoting:
            self._place = self._quotes.after(self._place, id)
        if self._motifs is not None and events:
            if isinstance(events[-1], NoteOn):
                self._motifs.note_on(step, events[-1].pitch)
            else:
                self._motifs.note_off(events[-1].pitch)

    def apply(self, logits: Floats, decoder: Decoder, alone: float, sounding: bool) -> Floats:
        """The biased logits (V,) of the next token.

        `decoder`: of the plan's tokens. `alone`: seconds for which the model has played alone.
        `sounding`: whether notes of the plan still need note-offs.
        """
        logits = self._quotes.lean(logits, self._place, faded(self._quoting, alone))
        if self._motifs is not None:
            self._motifs.strength = faded(self._motif_strength, alone)
            logits = self._motifs.apply(logits, decoder.step)
        if self._texture is not None:
            began = decoder.began
            passed = decoder.step - max(began.values(), default=decoder.step)
            logits = self._texture.apply(logits, len(began), passed)
        if self._pulse is not None:
            logits = self._pulse.apply(logits, decoder.time, sounding)
        return logits


def _where(context: Context) -> Place:
    """Where the context is in the performer's earlier music, for quoting."""
    context.quotes.settle()
    return context.quotes.place(context.recent.last(LOOKED_BACK))
