"""Chooses the close of a reply among candidates that continue a little beyond its end.

The plan then gets the tokens of the best candidate up to the close, fed one by one, and the
note-offs of the notes that sound (see `best_of_n` for why the same reply always comes out).
"""

import math

from .best_of_n import BestOfN, Candidate, tries
from .context import StepModel
from .ending import Close, Ending, Sound, Usual, closes, releases, sounds
from .plan import Plan
from .shaping import Playing
from .style_features import StyleFeatures

MAX_TOKENS = 320  # of a candidate


class Last(Candidate):
    """A candidate for the end of a reply; `notes` and `closes` are set by `analyse`."""

    def __init__(self, plan: Plan, until: float) -> None:
        super().__init__(plan, until, MAX_TOKENS)
        plan.remove_end()
        self._before = plan.sounding
        self.notes: list[Sound] | None = None
        self.closes: list[Close] = []

    def analyse(self) -> list[Sound]:
        """Find the notes and the closes; return the notes."""
        plan = self.plan
        self.notes = sounds(self.tokens, self._before, plan.first)
        self.closes = closes(self.notes, plan.begins, plan.reached)
        return self.notes


class Finale(BestOfN):
    """The candidates for the end of a plan, until the best close is chosen."""

    def __init__(
        self,
        model: StepModel,
        plan: Plan,
        wanted: StyleFeatures | None,
        playing: Playing,
        ending: Ending,
        count: int,
    ) -> None:
        """Prepare without a model step. `count`: the number of candidates."""
        super().__init__(model, plan, wanted, playing)
        self._ending, self._count = ending, count
        self._lasts: list[Last] = []
        self._offs: list[tuple[float, int]] = []  # the note-offs after the chosen close

    def _new_candidates(self) -> list[Last]:
        forks = [self._plan.fork(number) for number in range(self._count)]
        self._lasts = [Last(fork, self._ending.latest) for fork in forks]
        return self._lasts

    def _decide(self) -> None:
        """Analyse one candidate; after all of them, choose the best close."""
        for one in self._lasts:
            if one.notes is None:
                one.analyse()
                return
        usual = Usual.of([one.closes for one in self._lasts])
        best, close = self._best(usual)
        until = self._ending.released(close, usual)
        self._offs = releases(best.notes or (), close, until, self._playing.longest_note)
        self._again.extend(best.tokens[: close.token + 1])
        self._winner = self._plan.fork(best.plan.candidate)
        self._state = self._winner.state
        self._end_if_fed(self._winner)

    def _best(self, usual: Usual) -> tuple[Last, Close]:
        """The best close and its candidate. Without one, the notes that already sound are it."""
        ending, most = self._ending, -math.inf
        best = self._lasts[0]
        found = Close(
            -1,
            ending.wanted,
            self._plan.begins + ending.wanted,
            tuple(self._plan.sounding),
            0.0,
            0.0,
            0.0,
        )
        for one in self._lasts:
            score = one.score(self._wanted, self._playing)
            for close in one.closes:
                if ending.begin <= close.time <= ending.latest:
                    worth = score + ending.worth(close, usual)
                    if worth > most:
                        best, found, most = one, close, worth
        return best, found

    def _feed_again(self, winner: Plan) -> None:
        winner.step()
        winner.repeat(self._again.popleft())
        self._end_if_fed(winner)

    def _end_if_fed(self, winner: Plan) -> None:
        if not self._again:
            winner.close(self._offs)
        self._logits, self._state = winner.logits, winner.state


def candidates_for(
    model: StepModel,
    plan: Plan,
    ending: Ending | None,
    wanted: StyleFeatures | None,
    playing: Playing,
    alone: bool,
) -> BestOfN | None:
    """The candidates for the next part of a plan; None if it grows without candidates.

    `alone`: there is no time for more than one candidate.
    """
    if plan.closing:
        return None
    alone = alone or not tries(playing)
    if ending is not None and ending.is_near(plan.reached, alone):
        return Finale(model, plan, wanted, playing, ending, 1 if alone else playing.candidates)
    if alone or wanted is None:
        return None
    return BestOfN(model, plan, wanted, playing, math.inf if ending is None else ending.begin)
