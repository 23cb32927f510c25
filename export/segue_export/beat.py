"""How the network hears the beat.

The layer tells, from what the dense layer knows, how much it likes each place in a bar: 24 to a
beat. A time shift gets what the place has to which it leads, between two places in proportion. It
is the sum of two parts: one for the place in its beat, whichever beat that is, and one for the
place in a bar of up to four beats (of longer ones, in each four), which counts where bars are
known. Where there is no beat nothing is added, nor to the longest time shift, after which more
time follows.
"""

import torch
from torch import Tensor, nn

from .corpus.beats import SHIFT

PARTS, BEATS = 24, 4  # places of a beat; beats of a bar
SHIFTS = len(SHIFT) - 1  # all but the longest


class BeatLayer(nn.Module):
    """What each time shift gains by the place to which it leads. At first it is nothing."""

    steps: Tensor

    def __init__(self, dense: int) -> None:
        super().__init__()
        self.places = nn.Linear(dense, PARTS + PARTS * BEATS)
        nn.init.zeros_(self.places.weight)
        nn.init.zeros_(self.places.bias)
        steps = torch.arange(1, SHIFTS + 1, dtype=torch.float32)
        self.register_buffer("steps", steps, persistent=False)

    def forward(self, x: Tensor, beat: Tensor) -> Tensor:
        """What the dense layer gives (batch, time, D) and beats (batch, time, 3), float32, to
        (batch, time, SHIFTS)."""
        place, rate, bar = beat.split(1, dim=-1)
        of_beat, of_bar = self.places(x).split([PARTS, PARTS * BEATS], dim=-1)
        liked = torch.cat([of_beat] * BEATS, dim=-1) + of_bar * (bar > 0)
        size = torch.where(bar > 0, bar.clamp(max=BEATS), float(BEATS))
        lands = place + rate * self.steps
        lands = (lands - size * torch.floor(lands / size)) * PARTS
        below = torch.floor(lands)
        above = torch.where(below + 1 < size * PARTS, below + 1, 0.0)
        low, high = (
            liked.gather(-1, at.long().clamp(max=PARTS * BEATS - 1)) for at in (below, above)
        )
        return torch.where(rate > 0, low + (lands - below) * (high - low), 0.0)


def added(logits: Tensor, shifts: Tensor) -> Tensor:
    """Logits (batch, time, V) with what time shifts gain (batch, time, SHIFTS)."""
    rest = logits.shape[-1] - SHIFT.start - SHIFTS
    return logits + nn.functional.pad(shifts, (SHIFT.start, rest))
