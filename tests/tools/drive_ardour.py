"""Have Ardour, a real sequencer, drive Segue with clock and transport, and record its reply.

    python -m tests.tools.drive_ardour [OUT]

Needs `apt-get install jackd2 ardour`; no screen and no sound card (JACK's dummy driver). Ardour
makes a session with one MIDI track, sends MIDI clock to Segue In and records what Segue Out plays.
A keyboard that this script plays speaks to Segue for two beats; then it is Segue's turn, from the
next bar on, on the grid of sixteenths. Ardour stops in the midst of the reply. OUT (default:
out/ardour) gets Ardour's MIDI file of the take and Segue's own recording of it. What was wrong is
the exit status: 0 nothing, 1 something.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from segued.midi.tracks import read_tracks
from segued.recording.journal_file import read
from segued.recording.performance import seconds
from segued.timing.clock import Clock
from segued.tools.live_session import LiveSession

from tests.support.jack import jack_server

NEAR = 0.005  # beats that a note may be off by Segue's own clock
NEAR_IN_TAKE = 0.06  # and in Ardour's take, where there are two cables between them: 30 ms at 120
SETTINGS = (
    "ports.backend=jack",
    "ports.reply_channel=2",
    "sampling.seed=4",
    "sync.launch_quantize=bar",
    "steering.quantize_strength=1",
    "turns.silence=0.3",
    "turns.reply_length=endless",
)
CONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<Ardour><Config><Option name="send-midi-clock" value="1"/></Config></Ardour>
"""
SCRIPT = """
local folder = "{folder}"
assert(AudioEngine:set_backend("JACK", "", ""))
local session = create_session(folder .. "/session", "segue", 48000)
assert(session)
local function await(name)
    while true do
        local file = io.open(folder .. "/" .. name)
        if file then file:close() return end
        ARDOUR.LuaAPI.usleep(20000)
    end
end
local function tell(name)
    io.stderr:write(name .. "\\n")
    io.open(folder .. "/" .. name, "w"):close()
end
local one = ARDOUR.ChanCount(ARDOUR.DataType("midi"), 1)
local tracks = session:new_midi_track(one, one, true, ARDOUR.PluginInfo(), nil, nil, 1, "Take",
    ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true)
local take = tracks:front()
take:rec_enable_control():set_value(1, PBD.GroupControlDisposition.NoGroup)
session:maybe_enable_record(false)
tell("made")
await("connected")
session:request_roll(ARDOUR.TransportRequestSource.TRS_UI)
tell("rolling")
await("enough")
session:request_stop(false, false, ARDOUR.TransportRequestSource.TRS_UI)
ARDOUR.LuaAPI.usleep(2000000)
session:save_state("")
tell("saved")
await("over")
"""


def wait_for(true: Callable[[], object], what: str, limit: float = 60.0) -> None:
    """Until something is so."""
    deadline = time.monotonic() + limit
    while not true():
        if time.monotonic() > deadline:
            raise SystemExit(f"it never came to this: {what}")
        time.sleep(0.02)


def connect(source: str, target: str) -> None:
    """Two JACK ports, by the ends of their names."""
    ports = subprocess.run(["jack_lsp"], capture_output=True, text=True, check=True).stdout
    names = [
        next((port for port in ports.splitlines() if port.endswith(end)), "")
        for end in (source, target)
    ]
    if "" in names:
        raise SystemExit(f"no port {source!r} or {target!r} among {ports.split()}")
    subprocess.run(["jack_connect", *names], check=True)


def drive(folder: Path, out: Path) -> list[str]:
    """Play, record, look at what came of it: what was wrong."""
    home = folder / "home" / ".config" / "ardour7"
    home.mkdir(parents=True)
    (home / "config").write_text(CONFIG)
    script = folder / "session.lua"
    script.write_text(SCRIPT.format(folder=folder))
    settings = [*SETTINGS, f"record.folder={folder / 'recorded'}"]
    said = (folder / "ardour.log").open("w")
    with jack_server(period=512), LiveSession(settings) as stage:
        ardour = subprocess.Popen(
            ["ardour7-lua", str(script)],
            env={**os.environ, "HOME": str(folder / "home")},
            stdin=subprocess.DEVNULL, stdout=said, stderr=said,
        )  # fmt: skip
        try:
            wait_for((folder / "made").exists, "Ardour made its session")
            connect("MIDI Clock out", "Segue In")
            connect("Segue Out", "Take/midi_in 1")
            (folder / "connected").touch()
            wait_for((folder / "rolling").exists, "Ardour rolls")
            keys = enumerate((60, 64, 67, 72))
            phrase = [(0.25 * i, bytes((0x90, pitch, 80))) for i, pitch in keys]
            phrase += [(time + 0.2, bytes((0x80, m[1], 64))) for time, m in phrase]
            stage.play(sorted(phrase), lambda _, got: False, 8.0)
            (folder / "enough").touch()
            wait_for((folder / "saved").exists, "Ardour saved its session")
            stage.play(seconds=1.0)
            (folder / "over").touch()
            ardour.wait(20)
        finally:
            if ardour.poll() is None:
                ardour.kill()
            ardour.wait()
            said.close()
        stage.stop()
    return look(folder, out)


def look(folder: Path, out: Path) -> list[str]:
    """What Ardour sent, what it recorded, and whether that fits."""
    recorded = next((folder / "recorded").glob("*.mid"))
    takes = sorted((folder / "session").rglob("*.mid"))
    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(recorded, out / "segue.mid")
    wrong = [] if takes else ["Ardour recorded nothing"]
    recording = read(recorded)
    sent = [(seconds(entry.tick), bytes(entry.data)) for entry in recording.entries]
    clock = [(time, data[0]) for time, data in sent if data[:1] >= b"\xf0"]
    counts = {hex(kind): sum(k == kind for _, k in clock) for kind in sorted({k for _, k in clock})}
    print(f"Ardour sent: {counts}")
    began = next((t for t, kind in clock if kind in (0xFA, 0xFB)), None)
    stopped = next((t for t, kind in clock if kind == 0xFC and began and t > began), None)
    if began is None or stopped is None:
        return [*wrong, "no Start or no Stop came"]
    ons = [t for t, m in recording.played if m[0] & 0xF0 == 0x90]
    heard = beats_of([seconds(t) for t in ons], clock)
    tempo = 60 * sum(k == 0xF8 for _, k in clock) / 24 / (stopped - began)
    print(f"rolled for {stopped - began:.1f} s at {tempo:.1f} beats a minute, by its ticks")
    wrong += on_grid(heard, "Segue's clock", NEAR)
    if any(seconds(t) > stopped for t in ons):
        wrong.append("it played after Stop")
    for take in takes:
        shutil.copy(take, out / "ardour.mid")
        ticks_per_beat, tracks = read_tracks(take)
        notes = [t / ticks_per_beat for track in tracks for t, m in track.messages
                 if m[0] == 0x91 and m[2]]  # fmt: skip
        print(f"Ardour's take {take.name}: {len(notes)} notes of the reply")
        wrong += on_grid(notes, "Ardour's take", NEAR_IN_TAKE)
        if len(notes) != len(ons):
            wrong.append(f"Ardour recorded {len(notes)} notes of {len(ons)}")
    return wrong


def beats_of(times: list[float], clock: list[tuple[float, int]]) -> list[float]:
    """The beats of some times, by what the clock had told until then."""
    song, rows, beats = Clock(), list(clock), []
    for time_ in times:
        while rows and rows[0][0] <= time_:
            at, kind = rows.pop(0)
            song.receive(at, bytes((kind,)))
        beats.append(song.beat_at(time_))
    return beats


def on_grid(beats: list[float], whose: str, near: float) -> list[str]:
    """What is wrong with the beats of a reply that should begin on a bar and keep to sixteenths."""
    if not beats:
        return [f"{whose}: no reply"]
    off = [abs(beat * 4 - round(beat * 4)) / 4 for beat in beats]
    print(f"{whose}: the first of {len(beats)} notes on beat {beats[0]:.3f}; off the sixteenths by "
          f"{statistics.median(off):.3f} beats in the median, {max(off):.3f} at most")  # fmt: skip
    wrong = []
    if abs(beats[0] - round(beats[0] / 4) * 4) > near:
        wrong.append(f"{whose}: the reply did not begin on a bar")
    if statistics.median(off) > near:
        wrong.append(f"{whose}: the reply is not on the grid")
    return wrong


def main() -> int:
    """Exit status."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("out") / "ardour"
    if not shutil.which("ardour7-lua"):
        raise SystemExit("needs Ardour 7: apt-get install ardour")
    folder = Path(tempfile.mkdtemp(prefix="segue-ardour-"))
    try:
        wrong = drive(folder, out)
        for line in wrong:
            print(f"wrong: {line}")
        return bool(wrong)
    finally:
        out.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "ardour.log", out)
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
