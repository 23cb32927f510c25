"""What the proof needs of a system: its commands, the service as systemd sees it, a synth that
listens through aseqdump, keys on a virtual MIDI card, and a table."""

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

JOB = Path("/job")
SETTINGS = Path("/etc/segue/config.yaml")
MUSIC = "turns: {silence: 0.3, reply_length: endless}\nsampling: {seed: 1}\n"
VIRTUAL = f"ports: {{reply_channel: 16}}\n{MUSIC}"
REPLY, THRU = range(15, 16), range(15)  # channels
PATIENCE = 600.0  # seconds; an emulated machine is slow

_EVENT = re.compile(
    r"(Note on|Note off|Control change)\s+(\d+), (?:note|controller) (\d+), \w+ (\d+)"
)


def sh(command: str, seconds: float = PATIENCE) -> tuple[int, str]:
    """Exit status and all that a shell command said."""
    done = subprocess.run(
        command, shell=True, text=True, timeout=seconds,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout.strip()


def say(command: str) -> str:
    """What a shell command said; RuntimeError when it failed."""
    status, text = sh(command)
    if status:
        raise RuntimeError(f"{command}: status {status}: {text}")
    return text


def until(true: Callable[[], object], seconds: float = PATIENCE) -> float | None:
    """Seconds until it was so; None when it never was. Who asks leaves the machine its time."""
    began = time.monotonic()
    while True:
        asked = time.monotonic()
        if true():
            return time.monotonic() - began
        if time.monotonic() - began > seconds:
            return None
        time.sleep(min(0.5, max(0.01, 4.0 * (time.monotonic() - asked))))


class Unit:
    """A service, as systemctl and the journal have it. `manager`: "systemctl" or the user's."""

    def __init__(self, name: str, manager: str = "systemctl", journal: str = "journalctl") -> None:
        self.name, self.manager, self._journal = name, manager, f"{journal} -u {name} -o cat"

    def __getitem__(self, property: str) -> str:
        return say(f"{self.manager} show {self.name} -p {property} --value")

    @property
    def process(self) -> int:
        """0 when it does not run."""
        return int(self["MainPID"])

    def do(self, verb: str) -> tuple[int, str]:
        """start, stop, restart, reload."""
        return sh(f"{self.manager} {verb} {self.name}")

    def active(self) -> bool:
        """Ready, as it told systemd itself."""
        return self["ActiveState"] == "active"

    def back(self, process: int) -> bool:
        """Whether another process than that is ready."""
        said = say(f"{self.manager} show {self.name} -p ActiveState -p MainPID --value").split()
        return "active" in said and str(process) not in said

    def mark(self) -> "Log":
        """The log from now on."""
        return Log(self._journal)

    def anew(self) -> None:
        """Started, with no failure on its account."""
        sh(f"{self.manager} stop {self.name}")
        sh(f"{self.manager} reset-failed {self.name}")
        say(f"{self.manager} start {self.name}")


class Log:
    """The journal of a unit since now."""

    def __init__(self, command: str) -> None:
        self._cursor = re.sub(r".*cursor: ", "", say("journalctl -n 1 --show-cursor -q -o cat"),
                              flags=re.DOTALL)  # fmt: skip
        self._command = command

    def __call__(self, extra: str = "") -> str:
        say("journalctl --sync")
        return say(f"{self._command} --after-cursor='{self._cursor}' {extra}")

    def has(self, text: str) -> bool:
        """Whether it was said."""
        return text in self()

    def line(self, text: str) -> str:
        """The first line in which it was said."""
        return next((line for line in self().splitlines() if text in line), "")


class Synth:
    """`aseqdump`: a port that others connect to, or one that connects itself; what sounds on it."""

    def __init__(self, *arguments: str) -> None:
        self.events: list[tuple[str, int, int, int]] = []  # kind, channel, pitch, value
        self._process = subprocess.Popen(
            ["aseqdump", *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        threading.Thread(target=self._read, daemon=True).start()
        until(lambda: self.port in say("aconnect -l"), 10)

    @property
    def port(self) -> str:
        """How aconnect shows it."""
        return f"pid={self._process.pid}]"

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = _EVENT.search(line)
            if found:
                kind, *numbers = found.groups()
                self.events.append((kind, *map(int, numbers)))  # type: ignore[arg-type]

    def mark(self) -> int:
        """A place in what it heard."""
        return len(self.events)

    def sounding(self, since: int = 0) -> set[tuple[int, int]]:
        """(channel, pitch) whose own note-off never came: a synth that knows no all-notes-off."""
        down: set[tuple[int, int]] = set()
        for kind, channel, pitch, value in self.events[since:]:
            if kind == "Note on" and value:
                down.add((channel, pitch))
            elif kind != "Control change":
                down.discard((channel, pitch))
        return down

    def struck(self, channels: range, since: int = 0) -> int:
        """Notes begun on these channels."""
        return sum(
            kind == "Note on" and value > 0 and channel in channels
            for kind, channel, _, value in self.events[since:]
        )

    def close(self) -> None:
        """Gone, like one that is unplugged."""
        self._process.kill()
        self._process.wait()


class Keys:
    """A keyboard: the first port of the virtual MIDI card, which can be pulled out and put back."""

    BUS = Path("/sys/bus/platform/drivers/snd_virmidi")

    def __init__(self) -> None:
        if not self.BUS.exists():
            say("modprobe snd-virmidi")
        self._device = next(path.name for path in self.BUS.glob("snd_virmidi.*"))
        cards = Path("/proc/asound/cards").read_text()
        self._card = re.findall(r"^ *(\d+) \[VirMIDI", cards, re.MULTILINE)[0]
        self.name = f"VirMIDI {self._card}-0"

    def send(self, *messages: str) -> None:
        """Bytes in hex, each a message."""
        for message in messages:
            say(f"amidi -p hw:{self._card},0 -S '{message}'")

    def phrase(self) -> None:
        """Four notes."""
        for pitch in ("3C", "40", "43", "48"):
            self.send(f"90 {pitch} 50")
            time.sleep(0.1)
            self.send(f"80 {pitch} 40")

    def pull(self) -> None:
        """Out."""
        (self.BUS / "unbind").write_text(self._device)

    def connected(self) -> bool:
        """Whether anybody listens to it."""
        clients = Path("/proc/asound/seq/clients").read_text()
        return re.search(rf'"{self.name}".*\n\s+Connecting To', clients) is not None

    def put_back(self) -> None:
        """In again."""
        (self.BUS / "bind").write_text(self._device)


class Table:
    """Rows of what was expected and what was seen, in Markdown."""

    def __init__(self) -> None:
        self.rows = self.failed = 0

    def __call__(self, what: str, expected: str, seen: object, good: object) -> None:
        """A row; `good` is the verdict."""
        self.rows += 1
        self.failed += not good
        shown = str(seen).replace("|", "/").replace("\n", " ")
        print(f"| {what} | {expected} | {shown} | {'OK' if good else 'NOT OK'} |", flush=True)


def seconds(value: float | None) -> str:
    """A time for people."""
    return "never" if value is None else f"{value:.2f} s"


class Proof:
    """What the steps share. `slow`: how many seconds a start takes here, and one elsewhere."""

    synth: Synth

    def __init__(self, venv: Path) -> None:
        self.venv, self.segued = venv, venv / "bin" / "segued"
        self.table, self.unit, self.keys = Table(), Unit("segued"), Keys()
        self.slow = 1.0

    def _write(self, music: str) -> None:
        SETTINGS.write_text(f"ports:\n  {{input: {self.keys.name}, output: aseqdump, "
                            f"reply_channel: 16}}\n{music}")  # fmt: skip

    def _playing(self, synth: Synth) -> None:
        """It answers, and something of it sounds."""
        place = synth.mark()
        self.keys.phrase()
        until(lambda: synth.struck(REPLY, place) >= 3 and synth.sounding(), 30 * self.slow)

    def _why(self) -> str:
        status, said = sh(f"{self.segued} status --json")
        return str(json.loads(said)["why"][0]) if status == 0 else said

    @staticmethod
    def _port(name: str) -> str:
        """client:port of a sequencer port, or of a client's first."""
        client = ""
        for line in say("aconnect -l").splitlines():
            found = re.match(r"client (\d+): '(.*)'", line)
            if found:
                client = found[1]
                if found[2] == name:
                    return f"{client}:0"
            found = re.match(r" +(\d+) '(.*?) *'", line)
            if found and found[2] == name:
                return f"{client}:{found[1]}"
        raise LookupError(f"no port {name}")
