"""The musician: hears, remembers, plans a reply ahead of its turn, and forgets what never sounded.

Pure: it is told the time. It does at most one model step a call of `think`, so that whoever drives
it can look after what is due between any two.
"""

from collections.abc import Sequence

from .memory import Memory, StepModel
from .music.events import Event
from .plan import Plan, Playing, Reply, Token
from .sampling import Sampler


class Improviser:
    """Memory, and at most one reply with its plan.

    `heard`, where given, collects every id that enters the memory, in order.
    """

    def __init__(self, model: StepModel, playing: Playing, heard: list[int] | None = None) -> None:
        self.memory = Memory(model, heard)
        self.reply: Reply | None = None
        self._model, self._playing = model, playing
        self._sampler = Sampler(len(model.vocabulary), playing.temperature, playing.top_p)
        self._plan: Plan | None = None
        self._turn = 0

    def hear(self, event: Event) -> None:
        """The performer did something. Plans made without it are void."""
        if self.memory.hear(event):
            self._plan = None

    def prepare(self, begin: float, length: float) -> None:
        """A reply will begin at `begin` if nothing else happens: think ahead."""
        if self.reply is not None and (self.reply.begin, self.reply.length) == (begin, length):
            return
        self.drop()
        self.reply = Reply(begin, length, self._playing.seed, self._turn)

    def drop(self) -> None:
        """Forget the reply and whatever of its plan has not sounded."""
        if self.reply is not None and self.reply.playing:
            self._turn += 1
        self.reply = self._plan = None

    def interrupt(self, time: float) -> None:
        """The reply was silenced at `time`: what sounded of it stays in memory, the rest never
        was."""
        self.drop()
        self.memory.cut(time)

    def silence(self, time: float) -> None:
        """All that sounded was silenced at `time`, and so ends in memory too."""
        self.drop()
        self.memory.silence(time)

    def advance(self, now: float) -> None:
        """Time has come to `now`."""
        if self._plan is None:
            self.memory.advance(now)

    @property
    def next_due(self) -> float | None:
        """When the next planned token is due."""
        return self._plan.next_due if self._plan else None

    @property
    def planned(self) -> Sequence[Token]:
        """What it is about to play, in order."""
        return self._plan.tokens if self._plan else ()

    def due(self, now: float) -> Token | None:
        """The next token whose time has come, if any. It counts as heard from now on."""
        if self._plan is None:
            return None
        token = self._plan.due(now)
        if token is not None:
            self.memory.adopt(token.id, token.state, token.logits)
        elif self._plan.complete and not self._plan.tokens:
            self.drop()
        return token

    def think(self, now: float) -> bool:
        """At most one model step of what there is to do; whether there was anything."""
        if self.memory.step():
            return True
        if self.reply is None or self.memory.encoder.holds:
            return False
        if self._plan is None:
            self._plan = Plan(
                self._model, self.memory, self._sampler, self._playing, self.reply, now
            )
        if self._plan.complete:
            return False
        enough = max(now, self.reply.begin) + self._playing.lookahead
        if self._plan.tokens and self._plan.horizon > enough:
            return False
        self._plan.grow(now)
        return True
