"""`segued demo`: starts a daemon, plays a phrase to it in real time, and shows the reply."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import DataError
from ..fields.durations import Duration
from ..midi.files import read_performance, write_messages
from ..midi.messages import (
    ALL_NOTES_OFF,
    CHANNEL_MASK,
    control_change,
    is_note_off,
    is_note_on,
)
from ..midi.notes import notes_of
from ..model.loading import load_model
from ..service.log import warn
from ..settings.config import Config
from ..timing.clock import Clock
from ..timing.durations import seconds_of
from ..turn_taking.options import AUTO
from .live_session import BESIDE, Arrived, LiveSession
from .terminal_roll import draw

PHRASE = Path(__file__).parents[1] / "phrases" / "petzold-minuet.mid"
LISTEN_ON = 16  # the MIDI channel of the reply, to tell it from thru
SOUNDFONTS = ("/usr/share/sounds/sf2", "/usr/share/sounds/sf3", "/usr/share/soundfonts")
PLAY_AT_MOST = 40.0  # seconds of a phrase


def demo(
    config: Config, file: Path | None, settings: Sequence[str], phrase: Path | None, out: Path
) -> int:
    """Run the demo, print a piano roll and latencies, and write a MIDI file (and a WAV) to `out`.

    `config`: the settings in `file` (None: the defaults), overridden by `settings`.
    """
    load_model(config)  # to report its errors here
    performance = [t for t in read_performance(phrase or PHRASE, warn) if t[0] < PLAY_AT_MOST]
    if not any(is_note_on(m) for _, m in performance):
        raise DataError(f"{phrase}: no notes in its first {PLAY_AT_MOST:g} seconds")
    performance += [(performance[-1][0], control_change(c, ALL_NOTES_OFF)) for c in range(15)]
    with LiveSession(
        [
            *BESIDE,
            *settings,
            f"ports.reply_channel={LISTEN_ON}",
            *(
                "ports.thru=true",
                "turns.by=silence",
                "steering.mode=continue",
                "steering.gate=true",
            ),
        ],
        "Segue Demo",
        file,
    ) as stage:
        print(f"Playing {(phrase or PHRASE).stem} to the daemon on {stage.where} ...", flush=True)
        sent, arrived = stage.play(performance, _over(performance[-1][0], config))
        status = stage.stop()
        log = list(stage.log)
    reply = [timed for timed in arrived if _is_reply(timed[1])]
    thru = [timed for timed in arrived if not _is_reply(timed[1])]
    _show(sent, thru, reply, config)
    _write(out, sent, reply)
    for line in log:
        print(line, file=sys.stderr)
    if status:
        raise DataError(f"the daemon ended with status {status}")
    return 0 if any(is_note_on(m) for _, m in reply) else DataError.status


def _is_reply(message: bytes) -> bool:
    return message[0] & CHANNEL_MASK == LISTEN_ON - 1


def _over(end: float, config: Config) -> Callable[[float, list[Arrived]], bool]:
    """The reply is over when it has begun and then nothing sounds for a second."""
    silence, length = _silence(config), config.turns.length_of_reply(end)
    limit = end + silence + min(60.0, _seconds(length, config)) + 5.0

    def over(now: float, arrived: list[Arrived]) -> bool:
        if now > limit:
            return True
        if not arrived or now < end + silence + 1.0:
            return False
        held: set[int] = set()
        for _, message in arrived:
            if _is_reply(message) and is_note_on(message):
                held.add(message[1])
            elif _is_reply(message) and is_note_off(message):
                held.discard(message[1])
        return not held and now > arrived[-1][0] + 1.5

    return over


def _seconds(span: Duration, config: Config) -> float:
    return seconds_of(span, Clock(config.steering.tempo), 0.0)


def _silence(config: Config) -> float:
    """The silence before a reply in seconds; with `auto` it is approximate."""
    return _seconds(config.turns.fixed_silence, config)


def _show(sent: list[Arrived], thru: list[Arrived], reply: list[Arrived], config: Config) -> None:
    colour = sys.stdout.isatty()
    width = max(40, min(160, shutil.get_terminal_size((110, 24)).columns - 8))
    print(draw([notes_of(sent), notes_of(reply)], width, colour))
    print("▓▒ you   ▉█ Segue")
    delays = sorted(1000 * delay for delay in _delays(sent, thru))
    if delays:
        print(f"thru: median {delays[len(delays) // 2]:.2f} ms, max {delays[-1]:.2f} ms")
    ons = [time for time, message in reply if is_note_on(message)]
    if not ons:
        print("there was no reply")
        return
    last = max(t for t, m in sent if is_note_off(m))
    if config.turns.silence == AUTO:
        print(f"reply: {len(ons)} notes; the first {ons[0] - last:.2f} s after your last key")
        return
    silence = _silence(config)
    over = 1000 * (ons[0] - last - silence)
    print(
        f"reply: {len(ons)} notes; the first {over:+.2f} ms after the {silence:g} s of silence "
        "that end your turn"
    )


def _delays(sent: list[Arrived], thru: list[Arrived]) -> list[float]:
    """Seconds from sending each note-on to its return."""
    delays = []
    returned = list(thru)
    for start, message in sent:
        if not is_note_on(message):
            continue
        for i, (time, back) in enumerate(returned):
            if back == message and time >= start:
                delays.append(time - start)
                del returned[i]
                break
    return delays


def _write(out: Path, sent: list[Arrived], reply: list[Arrived]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{out}: cannot make this folder: {error.strerror}") from None
    midi = out / "demo.mid"
    write_messages(midi, [("Performer", sent), ("Segue", reply)])
    print(f"written: {midi}")
    soundfont = next((f for d in SOUNDFONTS for f in sorted(Path(d).glob("*.sf[23]"))), None)
    fluidsynth = shutil.which("fluidsynth")
    if fluidsynth is None or soundfont is None:
        print("no WAV: fluidsynth and a soundfont are not installed")
        return
    wav = out / "demo.wav"
    command = [
        fluidsynth,
        "-q",
        "-n",
        "-i",
        "-F",
        str(wav),
        "-r",
        "48000",
        str(soundfont),
        str(midi),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0 and wav.exists():
        print(f"written: {wav}")
    else:
        print(f"no WAV: fluidsynth failed: {(done.stderr or done.stdout).strip()}")
