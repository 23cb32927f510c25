"""Contrast: a reply in another register than the performer's, or slow against fast playing.

It only changes `Playing`, by what the performer played lately. Register and density change by
octaves and by a factor of two, so that the pulse remains the performer's, and figures that come in
another octave the same figures.
"""

import math
from dataclasses import replace

from .shaping import Playing
from .style_features import StyleFeatures

OFF = "off"
MIDDLE = 62.0  # mean pitch of piano music: below it a reply goes up, above it down
WIDE = 7.0  # standard deviation of pitches, in semitones, above which it goes two octaves
ROOM = 12  # semitones that it has in any case, if the range that is set is as wide
QUICK = 2.5  # onsets a second above which a reply is slow, and below which it is quick
TIMES = 2.0  # how many times as quick, or as slow


def contrasted(playing: Playing, heard: StyleFeatures | None, pace: float) -> Playing:
    """`playing` with the register and density that contrast with what was heard.

    `pace`: the performer's onsets a second. The same object where nothing changes.
    """
    if playing.contrast == OFF or heard is None:
        return playing
    changed = playing
    if playing.contrast != "density":
        changed = _elsewhere(changed, heard)
    if playing.contrast != "register":
        times = 1.0 / TIMES if pace > QUICK else TIMES
        changed = replace(changed, density=playing.density * times)
    return changed


def _elsewhere(playing: Playing, heard: StyleFeatures) -> Playing:
    """`playing` with the register above or below most of what was heard."""
    away = 12 if heard.spread < WIDE else 24
    if heard.pitch < MIDDLE:
        lowest = min(math.ceil(heard.pitch + heard.spread), playing.highest_pitch - ROOM)
        lowest = max(lowest, playing.lowest_pitch)
        return replace(playing, register=playing.register + away, lowest_pitch=lowest)
    highest = max(math.floor(heard.pitch - heard.spread), playing.lowest_pitch + ROOM)
    highest = min(highest, playing.highest_pitch)
    return replace(playing, register=playing.register - away, highest_pitch=highest)
