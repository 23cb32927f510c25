"""The section `turns` of the settings."""

from dataclasses import dataclass

from ..fields.durations import Duration
from ..fields.options import choice, integer, number, number_or, option, span

AUTO = "auto"
USUAL_SILENCE = 0.7  # seconds that `auto` waits when there is neither a clock nor a pulse


@dataclass(frozen=True)
class TurnOptions:
    """Turn-taking: when Segue plays, and for how long."""

    by: str = option(
        "silence",
        choice("silence", "expectation", "bars", "manual"),
        "what ends your turn: silence, expectation (the model finds your silence surprising), "
        "bars (you trade bars), manual (only the action take)",
    )
    silence: float | str = option(
        AUTO,
        span(0.05, 60, AUTO),
        "the silence, without a held key, after which Segue answers: seconds, or a text such as 2 "
        "beats; auto: a little more than a beat of your playing, less after the end of a phrase "
        "and more within one",
    )
    bars: int = option(4, integer(1, 64), "the number of bars that each of you plays (by: bars)")
    shortest_wait: float = option(
        0.15,
        number(0.02, 60),
        "the shortest silence before an answer, in seconds (by: expectation)",
    )
    longest_wait: float = option(
        3.0, number(0.1, 60), "the longest silence before an answer, in seconds (by: expectation)"
    )
    longest_key: float = option(
        120.0,
        number(1, 86400),
        "seconds after which a held key no longer delays the answer",
    )
    reply_length: float | str = option(
        "phrase",
        span(0.1, 3600, "phrase", "endless"),
        "the length of a reply: seconds, or a text such as 4 bars; phrase: as long as your phrase; "
        "endless: until you play",
    )
    shortest_reply: float = option(
        2.0, number(0.1, 3600), "the shortest reply, in seconds (reply_length: phrase)"
    )
    longest_reply: float = option(
        30.0, number(0.1, 3600), "the longest reply, in seconds (reply_length: phrase)"
    )
    duet_tail: float | str = option(
        4.0,
        number_or(0.1, 3600, "endless"),
        "seconds that a duet goes on after your last key; endless: until you stop it",
    )
    forget_after: float | str = option(
        60.0,
        number_or(1, 604800, "never"),
        "seconds of silence after which Segue forgets what was played before",
    )
    lookahead: float = option(
        1.0,
        number(0.05, 10),
        "seconds that Segue plans ahead, which hides the time that the model takes",
    )

    thinking_time: float = option(
        0.4,
        number(0.1, 10),
        "seconds before its turn at which Segue starts to plan the reply; if you play on before "
        "that, no work is wasted; a slow machine needs more",
    )

    @property
    def fixed_silence(self) -> Duration:
        """`silence` as a fixed duration."""
        return USUAL_SILENCE if self.silence == AUTO else self.silence

    @property
    def duet_tail_seconds(self) -> float:
        """`duet_tail` in seconds."""
        return float("inf") if self.duet_tail == "endless" else float(self.duet_tail)

    @property
    def forget_after_seconds(self) -> float:
        """`forget_after` in seconds."""
        return float("inf") if self.forget_after == "never" else float(self.forget_after)

    def length_of_reply(self, phrase: float) -> Duration:
        """How long a reply may begin notes; `phrase`: the length of the phrase in seconds."""
        if self.reply_length == "endless":
            return float("inf")
        if self.reply_length == "phrase":
            return min(max(phrase, self.shortest_reply), self.longest_reply)
        return self.reply_length
