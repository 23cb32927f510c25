"""Does it come in while somebody plays, and how long after they have ended?

    python -m tests.tools.measure_waits FOLDER|FILE.mid ... [--set KEY=VALUE] [--jitter MS]

Every performance is played to the turn-taking parts alone, without a model, so that a minute of
music takes a few milliseconds. A pause is a time of at least 0.1 s with no key held (whatever the
pedal does). A beat is the performer's, as the tempo follower hears it; where it hears none, the
median of the piece, or 0.6 s. `--jitter` moves each note of rendered files by a random amount.
"""

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

from segued.control.knobs import Knobs
from segued.generation.improviser import Improviser
from segued.generation.steering import Steering
from segued.midi.files import event_of, read_messages
from segued.settings.config import Config
from segued.settings.yaml_file import load_settings
from segued.timing.clock import Clock
from segued.tokens.events import Event, NoteOn
from segued.turn_taking.phrase import PhraseTracker
from segued.turn_taking.triggers import Triggers
from segued.turn_taking.turn_taking import TurnTaking

from tests.support.fakes import FoldingModel

SHORTEST = 0.1  # seconds of a pause
USUAL_BEAT = 0.6  # seconds
LENGTHS = (0.5, 1.0, 2.0, 4.0)  # beats: where one kind of pause ends and the next begins


@dataclass(frozen=True)
class Pause:
    """A pause, in seconds; whether a reply came in; seconds a beat, where it has a pulse."""

    length: float
    entered: bool
    beat: float | None


@dataclass
class Heard:
    """What came of performances."""

    pauses: list[tuple[float, bool]] = field(default_factory=list)  # beats; whether it came in
    delays: list[float] = field(default_factory=list)  # seconds after each end
    disturbed: int = 0  # performances with an entry in a pause of less than two beats

    def add(self, pauses: Sequence[Pause], delay: float) -> None:
        """A performance."""
        usual = median([p.beat for p in pauses if p.beat] or [USUAL_BEAT])
        here = [(pause.length / (pause.beat or usual), pause.entered) for pause in pauses]
        self.pauses += here
        self.delays.append(delay)
        self.disturbed += any(entered for beats, entered in here if beats < 2)

    def share(self, low: float, high: float) -> tuple[int, int]:
        """Entries in pauses of so many beats, and the number of these pauses."""
        inside = [entered for beats, entered in self.pauses if low <= beats < high]
        return sum(inside), len(inside)


class Listener:
    """The turn-taking parts of a player, as `config` says."""

    def __init__(self, config: Config) -> None:
        model, knobs, clock = FoldingModel(), Knobs(config.knobs()), Clock(config.steering.tempo)
        turns = config.turns
        self.steering = Steering(config.sampling, turns.lookahead, config.sync, knobs, 0)
        triggers = Triggers(turns, model, clock, self.steering, knobs)
        self.turns = PhraseTracker(triggers.rule(turns), turns.longest_key, triggers.listeners)
        tempo = self.steering.tempo
        improviser = Improviser(model, self.steering.playing, None, clock, tempo)
        self.turn_taking = TurnTaking(
            improviser, self.turns, clock, tempo, turns, config.sync, knobs
        )

    def hear(self, event: Event) -> None:
        """The performer did something."""
        self.turns.hear(event)
        self.steering.hear(event)

    @property
    def entry(self) -> float:
        """When a reply begins if nothing more is played."""
        entry = self.turn_taking.entry
        return float("inf") if entry is None else entry


def listen(config: Config, events: Sequence[Event]) -> tuple[list[Pause], float]:
    """The pauses of a performance, and seconds from its end to the reply."""
    listener, pauses = Listener(config), []
    released = 0.0
    for event in events:
        if isinstance(event, NoteOn) and listener.turns.held is None:
            entered = listener.entry < event.time
            if entered:
                listener.turns.end_phrase()
            if released and event.time - released >= SHORTEST:
                pulse = listener.steering.tempo.pulse(released)
                beat = pulse.beat if pulse else None
                pauses.append(Pause(event.time - released, entered, beat))
        listener.hear(event)
        released = event.time if not isinstance(event, NoteOn) else released
    return pauses, listener.entry - (listener.turns.quiet_since or 0.0)


def events_of(path: Path, jitter: float) -> list[Event]:
    """What is played in a file, each note moved by about so many seconds."""
    chance, moved, events = random.Random(path.name), dict[tuple[int, int], float](), []
    for time, message in read_messages(path):
        if message[0] & 0xE0 == 0x80:
            key = (message[0] & 0x0F, message[1])
            if message[0] & 0x10 and message[2]:
                moved[key] = chance.gauss(0.0, jitter)
            time = max(0.0, time + moved.get(key, 0.0))
            events.append(event_of(message, time))
    return sorted((e for e in events if e is not None), key=lambda event: event.time)


def line(name: str, heard: Heard) -> str:
    """A row of the table."""
    delays = sorted(heard.delays)
    cells = [name, f"{heard.disturbed} of {len(delays)}"]
    spans = [(0.0, 2.0), (0.5, 2.0), *zip((0.0, *LENGTHS), (*LENGTHS, float("inf")), strict=True)]
    for i, (entries, count) in enumerate(heard.share(*span) for span in spans):
        share = f" = {100 * entries / max(1, count):.1f} %" if i < 2 else ""
        cells.append(f"{entries}/{count}{share}")
    cells.append(f"{mean(delays):.2f}, {median(delays):.2f}, {delays[len(delays) * 9 // 10]:.2f}")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--jitter", type=float, default=0.0, metavar="MS")
    parser.add_argument("--most", type=int, default=10**6, help="files of each folder")
    args = parser.parse_args()
    config = load_settings(None, args.set)
    kinds = ["< 1/2", "1/2 to 1", "1 to 2", "2 to 4", "longer"]
    print("| | disturbed | < 2 beats | 1/2 to 2 | " + " | ".join(kinds) +
          " | s after the end: mean, median, 90 % |")  # fmt: skip
    print("|---" * (len(kinds) + 5) + "|")
    for path in args.paths:
        files = sorted(path.rglob("*.mid")) if path.is_dir() else [path]
        random.Random(1).shuffle(files)
        heard = Heard()
        for file in files[: args.most]:
            heard.add(*listen(config, events_of(file, args.jitter / 1000)))
        print(line("/".join(path.parts[-2:]), heard), flush=True)


if __name__ == "__main__":
    main()
