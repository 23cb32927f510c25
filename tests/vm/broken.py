"""The service broken in every way that a machine and its cables have, for `proof.py`."""

import json
import os
import re
import signal
import time
from pathlib import Path

from guest import (
    JOB,
    MUSIC,
    REPLY,
    SETTINGS,
    THRU,
    VIRTUAL,
    Proof,
    Synth,
    Unit,
    say,
    seconds,
    sh,
    until,
)

WATCHDOG = 5.0  # seconds, as in the unit


class Broken(Proof):
    """Killed, hung, reloaded, unplugged, misconfigured, without its limits, in another time."""

    def named(self) -> None:
        """From here on it connects itself: to the card's port, and to a synth by its name."""
        self._write(MUSIC)
        self.synth = Synth()
        self.unit.anew()
        text = self.unit["StatusText"]
        self.table(f"`ports: {{input: {self.keys.name}, output: aseqdump}}`", "connected by name",
                   text, self.keys.name in text and "aseqdump" in text)  # fmt: skip

    def killed(self) -> None:
        """kill -9, once and again."""
        synth = self.synth
        process, log = self.unit.process, self.unit.mark()
        self._playing(synth)
        os.kill(process, signal.SIGKILL)
        time.sleep(0.2)  # what it had sent has arrived; it is started anew after 0.5 s
        left, place = synth.sounding(), synth.mark()
        took = until(lambda: self.unit.back(process))
        until(lambda: not synth.sounding(), 5 * self.slow)
        first = synth.events[place][0] if len(synth.events) > place else "nothing"
        self.table("`kill -9` while it plays", "started anew; what sounded ends first of all",
                   f"of {len(left)} that sounded {len(synth.sounding())} hang, {seconds(took)}; "
                   f"first came: {first}; log: {log.line('previous segued crashed')}",
                   left and took and took < 4 * self.slow and not synth.sounding()
                   and first == "Note off")  # fmt: skip
        for _ in range(4):
            process = self.unit.process
            os.kill(process, signal.SIGKILL)
            until(lambda: self.unit.back(process))  # noqa: B023
        self.table("`kill -9` four times more", "it waits longer before each start, and comes back",
                   f"{log.line('4 failures in a row')}; NRestarts {self.unit['NRestarts']}",
                   log.has("3 failures in a row") and log.has("4 failures in a row")
                   and self.unit.active())  # fmt: skip

    def hung(self) -> None:
        """The watchdog."""
        synth = self.synth
        self.unit.anew()
        process, log = self.unit.process, self.unit.mark()
        self._playing(synth)
        os.kill(process, signal.SIGSTOP)
        left = synth.sounding()
        took = until(lambda: self.unit.back(process))
        until(lambda: not synth.sounding(), 5 * self.slow)
        trace = log.line("Fatal Python error: Aborted")
        self.table("SIGSTOP: it hangs while it plays",
                   "ended by the watchdog within 5 s, its trace in the log, started anew, silence",
                   f"back after {seconds(took)}; of {len(left)} that sounded "
                   f"{len(synth.sounding())} hang; {log.line('atchdog')}; {trace}",
                   took and took < WATCHDOG + 4 * self.slow and not synth.sounding()
                   and trace)  # fmt: skip

    def reloaded(self) -> None:
        """Other settings, wrong ones, another model, while it plays."""
        synth = self.synth
        self.unit.anew()
        self._playing(synth)
        process, ports = self.unit.process, self._port("Segue")
        self._write(MUSIC + "steering: {density: 4}\n")
        log = self.unit.mark()
        status, _ = self.unit.do("reload")
        self.table("`systemctl reload`, valid", "taken, same process, same ports",
                   log.line("reloaded"), status == 0 and log.has("steering.density")
                   and self.unit.process == process and self._port("Segue") == ports)  # fmt: skip
        self._write(MUSIC + "steering: {density: many}\n")
        log, place = self.unit.mark(), synth.mark()
        status, _ = self.unit.do("reload")
        until(lambda: synth.struck(REPLY, place) > 0, 10 * self.slow)
        self.table("`systemctl reload`, invalid", "refused with the line; it plays on",
                   f"status {status}; {log.line('reload refused')}",
                   status != 0 and "config.yaml:5" in log.line("reload refused")
                   and self.unit.active() and self.unit.process == process
                   and synth.struck(REPLY, place) > 0)  # fmt: skip
        model = next((self.venv / "lib").glob("python*/site-packages/segued/models/*fp32.onnx"))
        self._write(f"{MUSIC}model: {{path: {model}}}\n")
        log, place = self.unit.mark(), synth.mark()
        status, _ = self.unit.do("reload")
        until(lambda: synth.struck(REPLY, place) > 3, 10 * self.slow)
        self.table("another model while it plays", "swapped, it plays on", log.line("reloaded"),
                   status == 0 and log.has("the model (fp32)") and self.unit.process == process
                   and synth.struck(REPLY, place) > 3)  # fmt: skip

    def pulled(self) -> None:
        """Cables: the keyboard's while a key is held, and the synth's."""
        synth = self.synth
        self._write(MUSIC.replace("0.3", "30"))
        self.unit.anew()
        process = self.unit.process
        self.keys.send("90 3C 50", "90 40 50")
        until(lambda: len(synth.sounding()) == 2, 5 * self.slow)
        held, began = len(synth.sounding()), time.monotonic()
        self.keys.pull()
        gone = until(lambda: not synth.sounding(), 5 * self.slow)
        until(lambda: "gone" in self._why(), 5 * self.slow)
        why = self._why()
        self.table("the keyboard's card is taken out while two keys are held",
                   "their note-offs; it waits", f"{held} held, silent after {seconds(gone)}; {why}",
                   held == 2 and gone is not None and "gone" in why)  # fmt: skip
        time.sleep(max(0.0, 3.0 - (time.monotonic() - began)))
        self.keys.put_back()
        took = until(self.keys.connected, 10 * self.slow)
        place = synth.mark()
        self.keys.send("90 3C 50", "80 3C 40")
        until(lambda: synth.mark() >= place + 2, 5 * self.slow)
        self.table("... and put back", "connected within a second, the same process",
                   f"after {seconds(took)}, {synth.struck(THRU, place)} of 1 note heard",
                   took is not None and took < 1.5 * self.slow and self.unit.process == process
                   and synth.struck(THRU, place) == 1)  # fmt: skip
        self.keys.send("90 3C 50")
        until(lambda: synth.sounding(), 5 * self.slow)
        synth.close()
        until(lambda: "gone" in self._why(), 5 * self.slow)
        why = self._why()
        new = Synth()
        took = until(lambda: len(new.events) > 0, 10 * self.slow)
        self.table("the synth goes away while a note sounds, and another comes",
                   "connected, and that note ended there first",
                   f"{why}; {seconds(took)}: {new.events[:1]}",
                   took is not None and new.events[0][:3] == ("Note off", 0, 60))  # fmt: skip
        self.unit.do("stop")
        new.close()

    def refused(self) -> None:
        """What does not get better by trying again; and a second one of the name."""
        for text, wanted, what in (
            ("turns: {silence: long}\n", "78", "wrong configuration"),
            ("model: {path: /nowhere.onnx}\n", "", "model that is not there"),
        ):
            SETTINGS.write_text(text)
            self.unit.do("stop")
            log = self.unit.mark()
            self.unit.do("start")
            time.sleep(3.0)
            status, restarts = self.unit["ExecMainStatus"], self.unit["NRestarts"]
            line = next((s for s in log("_COMM=segued").splitlines()), log.line("/"))
            self.table(f"start with a {what}", "one line, status 78 or 65, no restart",
                       f"status {status}, NRestarts {restarts}; {line}",
                       status in ((wanted,) if wanted else ("65", "78")) and restarts == "0"
                       and self.unit["ActiveState"] == "failed")  # fmt: skip
        SETTINGS.write_text(VIRTUAL)
        self.unit.anew()
        twin = Unit("segued@twin")
        Path("/etc/segue/twin.yaml").write_text(VIRTUAL)
        log = twin.mark()
        sh("systemctl start --no-block segued@twin")
        until(lambda: log.has("another segued"))
        sh("systemctl stop segued@twin")
        self.table("a second one of the same name", "refused with the process that has it",
                   log.line("another segued"),
                   f"process {self.unit.process}" in log.line("another segued"))  # fmt: skip
        say(f"make -C {JOB} install-service SYSTEM=1 SEGUED={self.segued} INSTANCE=bass")
        bass = Unit("segued@bass")
        bass.do("start")
        both = say("aconnect -l")
        self.table("`INSTANCE=bass`, both at once", "ports of both names",
                   ", ".join(sorted(re.findall(r"'((?:Segue|bass) (?:In|Out)) *'", both))),
                   all(f"'{name}" in both for name in ("Segue In", "bass In")))  # fmt: skip
        bass.do("stop")

    def awaited(self) -> None:
        """Its keyboard is not there yet when it starts, for longer than a start may take."""
        self._write(MUSIC)
        self.unit.do("stop")
        synth, patience = Synth(), 5.0 * self.slow
        drop_in = self._drop_in(f"TimeoutStartSec={patience}")
        self.keys.pull()
        say("systemctl start --no-block segued")
        until(self.unit.active, patience)
        time.sleep(2.0 * patience)
        seen, why = f"{self.unit['ActiveState']}, {self.unit['StatusText']}", self._why()
        self.keys.put_back()
        took = until(lambda: "listening" in self.unit["StatusText"], 10 * self.slow)
        self.table("started without its keyboard, three start timeouts long",
                   "active, and status and `segued status` say what it waits for",
                   f"{seen}; {why}; listening {seconds(took)} after it was put in",
                   seen.startswith("active, waiting for its ports: no MIDI input matches")
                   and "waiting for the ports" in why and took is not None
                   and self.unit["NRestarts"] == "0")  # fmt: skip
        self.unit.do("stop")
        synth.close()
        drop_in.unlink()
        say("systemctl daemon-reload")

    def _drop_in(self, lines: str) -> Path:
        """More for the unit, until that file is taken away."""
        path = Path("/run/systemd/system/segued.service.d/proof.conf")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"[Service]\n{lines}\n")
        say("systemctl daemon-reload")
        return path

    def limited(self) -> None:
        """Where it may not have its turn before others."""
        SETTINGS.write_text(VIRTUAL)
        drop_in = self._drop_in("LimitRTPRIO=0\nLimitMEMLOCK=1M")
        log = self.unit.mark()
        self.unit.anew()
        lines = [json.loads(line) for line in log("-o json").splitlines()]
        warnings = [line for line in lines if line["PRIORITY"] == "4"]
        stamped = [line for line in lines if re.search(r"\d\d:\d\d:\d\d", str(line["MESSAGE"]))]
        self.table("LimitRTPRIO=0", "one warning with its priority in the journal, normal priority",
                   "; ".join(line["MESSAGE"] for line in warnings),
                   len(warnings) == 1 and not stamped and self.unit.active()
                   and os.sched_getscheduler(self.unit.process) == os.SCHED_OTHER)  # fmt: skip
        drop_in.unlink()
        say("systemctl daemon-reload")

    def another_time(self) -> None:
        """The wall clock jumps while it plays: it has nothing to do with music."""
        synth = self.synth = Synth()
        self._write(MUSIC)
        self.unit.anew()
        self._playing(synth)
        seen = []
        for jump in ("+1 day", "-2 days", "+1 day"):
            say(f"date -s '{jump}'")
            place = synth.mark()
            time.sleep(2.0 * self.slow)
            seen.append(synth.struck(REPLY, place) / (2.0 * self.slow))
        self.unit.do("stop")
        synth.close()
        rates = ", ".join(f"{rate:.1f}" for rate in seen)
        self.table("the clock jumps a day ahead, two back, one ahead", "it plays on, no burst",
                   f"{rates} notes a second after each; {len(synth.sounding())} hang",
                   all(0 < rate < 40 for rate in seen) and not synth.sounding())  # fmt: skip
