"""The section `turns` of the settings."""

from dataclasses import dataclass

from ..fields.durations import Duration
from ..fields.options import choice, integer, number, number_or, option, span

AUTO = "auto"
USUAL_SILENCE = 0.7  # seconds: what `auto` means where neither tempo nor phrase say more


@dataclass(frozen=True)
class TurnOptions:
    """When it plays, and for how long."""

    by: str = option(
        "silence",
        choice("silence", "expectation", "bars", "manual"),
        "what ends your turn: silence, expectation (the model finds your silence surprising), "
        "bars (trade so many bars), manual (only the action take)",
    )
    silence: float | str = option(
        AUTO,
        span(0.05, 60, AUTO),
        "how long no key is held before it answers: seconds, or such as 2 beats; auto: a little "
        "more than a beat of yours, less after the end of a phrase and more in its midst",
    )
    bars: int = option(4, integer(1, 64), "how many bars each of you plays, with by: bars")
    shortest_wait: float = option(
        0.15, number(0.02, 60), "with by: expectation, it waits at least so many seconds"
    )
    longest_wait: float = option(
        3.0, number(0.1, 60), "with by: expectation, it waits at most so many seconds"
    )
    longest_key: float = option(
        120.0,
        number(1, 86400),
        "seconds after which a key that is still down no longer holds the answer back",
    )
    reply_length: float | str = option(
        "phrase",
        span(0.1, 3600, "phrase", "endless"),
        "seconds, or such as 4 bars; phrase: as long as what you played; endless: until you play",
    )
    shortest_reply: float = option(2.0, number(0.1, 3600), "seconds, with reply_length: phrase")
    longest_reply: float = option(30.0, number(0.1, 3600), "seconds, with reply_length: phrase")
    duet_tail: float | str = option(
        4.0,
        number_or(0.1, 3600, "endless"),
        "seconds that a duet goes on after your last key; endless: until it is told to stop",
    )
    forget_after: float | str = option(
        60.0,
        number_or(1, 604800, "never"),
        "seconds of silence after which it forgets what was played before",
    )
    lookahead: float = option(
        1.0,
        number(0.05, 10),
        "seconds that it plans ahead (this hides the time that the model takes)",
    )

    thinking_time: float = option(
        0.4,
        number(0.1, 10),
        "seconds before its turn from which on it plans its reply: while your next key comes "
        "sooner, nothing is planned in vain; a slow machine needs more",
    )

    @property
    def fixed_silence(self) -> Duration:
        """`silence` where it is fixed."""
        return USUAL_SILENCE if self.silence == AUTO else self.silence

    @property
    def duet_tail_seconds(self) -> float:
        """`duet_tail` as a number."""
        return float("inf") if self.duet_tail == "endless" else float(self.duet_tail)

    @property
    def forget_after_seconds(self) -> float:
        """`forget_after` as a number."""
        return float("inf") if self.forget_after == "never" else float(self.forget_after)

    def length_of_reply(self, phrase: float) -> Duration:
        """How long a reply to a phrase of so many seconds may begin notes."""
        if self.reply_length == "endless":
            return float("inf")
        if self.reply_length == "phrase":
            return min(max(phrase, self.shortest_reply), self.longest_reply)
        return self.reply_length
