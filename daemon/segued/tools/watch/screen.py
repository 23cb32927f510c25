"""The screen of `segued watch` as lines of text. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...control.knobs import KNOBS, NOTE_NAMES, Knob, note_name, shown
from ...player.active_notes import PERFORMER
from ...service.event_ring import MIDI_CLOCK, NO_TEMPO, OWN_TEMPO, PERFORMER_TEMPO
from .keys import HELP
from .music import OPEN, Music, Note

PAST, AHEAD = 9.0, 3.0  # seconds that the roll shows
FEWEST = 12  # pitches that it shows at least
GUTTER = 6  # columns for names of pitches
COLUMN = 26  # columns of a knob
NAME, BAR = 12, 6  # columns of its name and of its bar
RING = 10  # columns of the countdown to the reply


class Marks(NamedTuple):
    """The characters for each part of the picture."""

    you: str
    segue: str
    planned: str
    now: str
    full: str
    empty: str
    dash: str


UNICODE = Marks("▒", "█", "░", "│", "█", "░", "—")
ASCII = Marks("o", "#", ".", "|", "#", "-", "-")
COLOURS = {"you": "\x1b[33m", "segue": "\x1b[32m", "quiet": "\x1b[2m", "chosen": "\x1b[7m",
           "alarm": "\x1b[1m"}  # fmt: skip
RESET = "\x1b[0m"
TEMPI = {NO_TEMPO: "", PERFORMER_TEMPO: "yours", MIDI_CLOCK: "MIDI clock", OWN_TEMPO: "set"}


class Screen:
    """`chosen`: the index of the selected knob. `refused`: the last command could not be sent."""

    def __init__(self, marks: Marks, colours: Mapping[str, str] | None) -> None:
        self._marks, self._colours = marks, colours or {}
        self.chosen = 0
        self.refused = False

    def lines(
        self, music: Music, status: Mapping[str, Any], now: float, width: int, height: int
    ) -> list[str]:
        """The lines of the screen: as many as the terminal has, none wider than it."""
        head = [self._where(status, width), self._turn(music, status, now, width)]
        head.append(self._heard(music, status, width))
        knobs = self._knobs(music, width)
        rows = height - len(head) - len(knobs) - 1
        if rows < FEWEST // 2:  # a low terminal shows the chosen knob alone
            knobs = [self._knob(KNOBS[self.chosen], music, True)]
            rows = height - len(head) - len(knobs) - 1
        foot = "the music takes no commands now" if self.refused else HELP
        tint = "alarm" if self.refused else "quiet"
        return [*head, *self._roll(music, now, width, rows), *knobs,
                self._tinted(foot[:width], tint)]  # fmt: skip

    def _tinted(self, text: str, tint: str) -> str:
        colour = self._colours.get(tint)
        return f"{colour}{text}{RESET}" if colour and text else text

    def _where(self, status: Mapping[str, Any], width: int) -> str:
        if not status:
            return "connecting"
        ports = status["ports"]
        where = ports["transport"] or ports["missing"] or "no ports yet"
        gone = "" if ports["connected"] or not ports["transport"] else " (gone)"
        ins, outs = (ports[key] for key in ("peers_in", "peers_out"))
        peers = "" if ins is None or outs is None else f", {ins} to the input, {outs} to the output"
        name = status["name"] if status["running"] else f"{status['name']} has ended"
        return f"{name}: {where}{gone}{peers}"[:width]

    def _turn(self, music: Music, status: Mapping[str, Any], now: float, width: int) -> str:
        waits = not music.segue and music.begins > now
        why = status["why"][0] if status else ""
        why = "" if why == "listening" else why
        if music.segue:
            return self._tinted(f"Segue plays   {why}"[:width], "segue")
        if waits:
            share = (music.begins - now) / max(0.05, music.begins - music.since)
            full = round(RING * min(1.0, share))
            ring = self._marks.full * full + self._marks.empty * (RING - full)
            text = f"Your turn ends {ring} {music.begins - now:.1f} s"
        else:
            text = f"{'You play' if music.held else 'Listening'}   {why}"
        return self._tinted(text[:width], "you" if music.held or waits else "")

    def _heard(self, music: Music, status: Mapping[str, Any], width: int) -> str:
        key, tempo, dash = music.key, music.tempo, self._marks.dash
        heard = f"key {dash}"
        if key is not None and key.a < len(NOTE_NAMES):
            heard = f"key {NOTE_NAMES[key.a]} {'minor' if key.b else 'major'} {key.value:.0%}"
        heard += f"   tempo {dash}"
        if tempo is not None and tempo.a != NO_TEMPO:
            sure = f" {tempo.c}%" if tempo.a == PERFORMER_TEMPO else ""
            heard = heard[:-1] + f"{tempo.value:.0f} ({TEMPI[tempo.a]}{sure})"
        late = status.get("late_ms") if status else None
        if late:
            heard += f"   late {late['median']:.2f} ms (p99 {late['p99']:.2f})"
        return heard[:width]

    def _roll(self, music: Music, now: float, width: int, rows: int) -> list[str]:
        """The piano roll of the past and coming seconds, as lines, highest pitch first."""
        columns = width - GUTTER
        a_column = (PAST + AHEAD) / columns
        border = min(columns - 1, int(PAST / a_column))
        visible = [n for n in music.notes if n.end is None or n.end > now - PAST]
        pitches = [n.pitch for n in [*visible, *music.planned]] or [60]
        low, high = min(pitches), max(pitches)
        each = max(1, -(-(high - low + 1) // rows))  # semitones of a row
        top = high + max(0, (rows * each - (high - low + 1)) // 2)
        cells = [[""] * columns for _ in range(rows)]

        def draw(note: Note, end: float, mark: str, tint: str) -> None:
            first = int((note.begin - now + PAST) / a_column)
            last = max(first, int((end - now + PAST) / a_column) - 1)
            row = cells[min(rows - 1, max(0, (top - note.pitch) // each))]
            for column in range(max(0, first), min(columns, last + 1)):
                row[column] = self._tinted(mark, tint)

        for note in music.planned:
            end = note.end if note.end is not None else note.begin + OPEN
            draw(note, end, self._marks.planned, "segue")
        for note in visible:
            mine = note.owner == PERFORMER
            mark, tint = (self._marks.you, "you") if mine else (self._marks.segue, "segue")
            draw(note, now if note.end is None else note.end, mark, tint)
        lines = []
        for index, row in enumerate(cells):
            row[border] = row[border] or self._tinted(self._marks.now, "quiet")
            octave = [
                p for p in range(top - index * each, top - (index + 1) * each, -1) if p % 12 == 0
            ]
            name = note_name(octave[0]) if octave and 0 <= octave[0] < 128 else ""
            lines.append(self._tinted(f"{name:>4}  ", "quiet") + "".join(c or " " for c in row))
        return lines

    def _knobs(self, music: Music, width: int) -> list[str]:
        """All knobs, in as many columns as fit."""
        beside = max(1, width // COLUMN)
        deep = -(-len(KNOBS) // beside)
        lines = []
        for row in range(deep):
            places = range(row, len(KNOBS), deep)
            parts = [self._knob(KNOBS[p], music, p == self.chosen) for p in places]
            lines.append("".join(parts))
        return lines

    def _knob(self, knob: Knob, music: Music, chosen: bool) -> str:
        value = music.knobs[knob.name]
        full = round(BAR * knob.share(value)) if not knob.choices else 0
        bar = self._marks.full * full + self._marks.empty * (BAR - full)
        text = f"{value:.3g}" if isinstance(value, float) else shown(value)
        name = knob.name.replace("_", " ")
        told = f"{name[: NAME - 1]:{NAME}}" + (text if knob.choices else f"{bar} {text}")
        return self._tinted(f"{told[: COLUMN - 1]:{COLUMN - 1}}", "chosen" if chosen else "") + " "
