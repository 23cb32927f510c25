"""Make the picture and the sound of README: a phrase is played to Segue, and its reply.

    python -m tests.tools.make_readme_media [SOUNDFONT]

Writes docs/segue.gif and docs/segue.mp3: the shipped minuet and the shipped model's reply to it,
with the default settings and seed 1. Make both again when a reply sounds different, with another
model for instance. The sound needs fluidsynth, a soundfont and lame.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from segued.midi.files import Timed, read_messages, write_messages
from segued.midi.notes import Note, notes_of
from segued.model.loading import load_model
from segued.settings.yaml_file import load_settings
from segued.tools.render import perform, repeatable

ROOT = Path(__file__).parents[2]
PHRASE = ROOT / "daemon" / "segued" / "phrases" / "petzold-minuet.mid"
DOCS = ROOT / "docs"
SOUNDFONT = Path("/usr/share/sounds/sf2/default-GM.sf2")
SEED = 1

WIDTH, HEIGHT, MARGIN, HEADER, ROW = 880, 330, 16, 44, 8
SCALE = 2  # drawn larger and made smaller, so that edges are smooth
SPEED, FRAME = 2.0, 0.08  # times real time; seconds that a frame is shown
HOLD = 2.5  # seconds that the last frame is shown
PAPER, GRID, INK = "#ffffff", "#eceff1", "#37474f"
YOU, SEGUE = "#2a7f9e", "#e08214"
CAPTIONS = {YOU: "You play,", INK: "you stop,", SEGUE: "and Segue goes on."}
PAN = {0: 44, 1: 84}  # of 127, by channel: you are a little to the left, Segue to the right


def performance() -> tuple[list[Timed], list[Timed]]:
    """What is played, and what Segue plays on a channel of its own."""
    settings = load_settings(None, ["ports.reply_channel=2"])
    played = read_messages(PHRASE)
    return played, perform(load_model(repeatable(settings)), settings, played, SEED)


class Roll:
    """A piano roll that is drawn up to any moment."""

    def __init__(self, you: list[Note], segue: list[Note]) -> None:
        self._notes = [(YOU, note) for note in you] + [(SEGUE, note) for note in segue]
        self.seconds = max(note.end for _, note in self._notes)
        self._your_end = max(note.end for note in you)
        self._reply = min(note.start for note in segue)
        self._high = max(note.pitch for _, note in self._notes)
        self._font = ImageFont.load_default(19 * SCALE)

    def frames(self) -> Iterator[Image.Image]:
        """The roll from the beginning to the end, a frame every FRAME seconds."""
        step = SPEED * FRAME
        for index in range(1, int(self.seconds / step) + 2):
            yield self.at(min(index * step, self.seconds))

    def at(self, now: float) -> Image.Image:
        """The roll as it stands at `now`."""
        image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), PAPER)
        draw = ImageDraw.Draw(image)
        for pitch in range(0, 128, 12):
            y = self._y(pitch) + ROW * SCALE // 2
            if y > HEADER * SCALE:
                draw.line((0, y, WIDTH * SCALE, y), GRID, SCALE)
        for colour, note in self._notes:
            if note.start < now:
                left, right = self._x(note.start), self._x(min(now, note.end))
                box = (left, self._y(note.pitch), max(right - SCALE, left + SCALE),
                       self._y(note.pitch) + (ROW - 1) * SCALE)  # fmt: skip
                draw.rounded_rectangle(box, 2 * SCALE, colour)
        x = self._x(now)
        draw.line((x, HEADER * SCALE, x, HEIGHT * SCALE), INK, SCALE)
        self._caption(draw, now)
        return image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)

    def _caption(self, draw: ImageDraw.ImageDraw, now: float) -> None:
        x = float(MARGIN * SCALE)
        for start, colour in ((0.0, YOU), (self._your_end, INK), (self._reply, SEGUE)):
            if now >= start:
                draw.text((x, 12 * SCALE), CAPTIONS[colour], colour, self._font)
                x += draw.textlength(CAPTIONS[colour] + " ", self._font)

    def _x(self, seconds: float) -> float:
        return SCALE * (MARGIN + seconds / self.seconds * (WIDTH - 2 * MARGIN))

    def _y(self, pitch: int) -> int:
        return SCALE * (HEADER + 12 + (self._high - pitch) * ROW)


def write_picture(target: Path, you: list[Note], segue: list[Note]) -> None:
    """An endless GIF. All frames share the colours of the last one."""
    frames = [*Roll(you, segue).frames()]
    palette = frames[-1].quantize(40)
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    shown = [round(1000 * FRAME)] * (len(frames) - 1) + [round(1000 * HOLD)]
    frames[0].save(target, save_all=True, append_images=frames[1:], duration=shown, loop=0)


def write_sound(target: Path, parts: list[list[Timed]], soundfont: Path) -> None:
    """What a General MIDI piano makes of it, as MP3."""
    panned = [
        [(0.0, bytes((0xB0 | channel, 10, PAN[channel]))), *part]
        for channel, part in enumerate(parts)
    ]
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder, "segue.mid"), Path(folder, "segue.wav")
        write_messages(midi, [("Performer", panned[0]), ("Segue", panned[1])])
        commands: tuple[list[str | Path], ...] = (
            [
                "fluidsynth",
                "-q",
                "-n",
                "-i",
                "-g",
                "2.2",
                "-r",
                "44100",
                "-F",
                wav,
                soundfont,
                midi,
            ],
            ["lame", "--quiet", "-b", "64", wav, target],
        )
        for command in commands:
            subprocess.run(command, check=True)


def main(arguments: list[str]) -> None:
    played, reply = performance()
    write_picture(DOCS / "segue.gif", notes_of(played), notes_of(reply))
    write_sound(DOCS / "segue.mp3", [played, reply], Path(*arguments) if arguments else SOUNDFONT)
    for name in ("segue.gif", "segue.mp3"):
        print(f"docs/{name}: {(DOCS / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
