"""Segue installed, started, played to and broken on a Debian with systemd and ALSA: as root, in a
guest that may be thrown away (`tests/vm/run.sh` makes one). `proof.py VENV`: where to install it.

Prints a table of what was expected and what was seen; exit status 1 when they differ.
"""

import os
import platform
import re
import signal
import sys
import time
from pathlib import Path

from broken import Broken
from guest import JOB, REPLY, SETTINGS, THRU, VIRTUAL, Synth, Unit, say, seconds, sh, until

FILE = (
    b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk\0\0\0\x24"
    + b"".join(bytes((0, 0x90, pitch, 80, 0x60, 0x80, pitch, 64)) for pitch in (60, 64, 67, 72))
    + b"\0\xff\x2f\0"
)  # 4 x 8 bytes and the track's end: four quavers


class Whole(Broken):
    """All steps: first those in which nothing is wrong."""

    def install(self) -> None:
        """By the project's own command."""
        install = f"make -C {JOB} install-service SYSTEM=1 SEGUED={self.segued}"
        said = say(install)
        units = sorted(path.name for path in Path("/etc/systemd/system").glob("segued*"))
        self.table("`make install-service SYSTEM=1`", "two units, a configuration",
                   f"{', '.join(units)}; {SETTINGS}",
                   units == ["segued.service", "segued@.service"] and SETTINGS.exists()
                   and "systemctl enable --now segued" in said)  # fmt: skip
        verdict = say("systemd-analyze verify /etc/systemd/system/segued.service")
        self.table("`systemd-analyze verify`", "no word", verdict or "no word", not verdict)

    def start(self) -> None:
        """Ready means ready."""
        SETTINGS.write_text(VIRTUAL)
        log, began = self.unit.mark(), time.monotonic()
        status, _ = self.unit.do("start")
        ports = say("aconnect -l")
        took = time.monotonic() - began
        self.slow = max(1.0, took)
        self.table("`systemctl start segued`", "returns when its ports are there and it is ready",
                   f"{seconds(took)}; {self.unit['StatusText']}",
                   status == 0 and "'Segue In" in ports and "'Segue Out" in ports
                   and log.has("ready on ALSA")
                   and self.unit["StatusText"].startswith("listening on ALSA"))  # fmt: skip
        report = say("systemd-analyze security segued --no-pager")
        value = float(re.findall(r"exposure level.*?: ([\d.]+)", report)[0])
        self.table("`systemd-analyze security segued`", "2.0 or better", value, value <= 2.0)

    def privileges(self) -> None:
        """A user without powers, with its turn before others and its memory kept in."""
        process = self.unit.process
        about = dict(re.findall(r"^(\w+):\s+(.*)$", Path(f"/proc/{process}/status").read_text(),
                                re.MULTILINE))  # fmt: skip
        policy, priority = os.sched_getscheduler(process), os.sched_getparam(process).sched_priority
        limits = Path(f"/proc/{process}/limits").read_text()
        allowed = re.findall(r"Max realtime priority +(\d+)", limits)[0]
        self.table("its user", "not root, without any capability",
                   f"uid {about['Uid'].split()[0]}, capabilities {int(about['CapEff'], 16):x}",
                   not about["Uid"].startswith("0") and not int(about["CapEff"], 16))  # fmt: skip
        self.table("LimitRTPRIO", "SCHED_FIFO 5 without root",
                   f"policy {policy}, priority {priority}, limit {allowed}",
                   policy == os.SCHED_FIFO and priority == 5 and allowed == "20")  # fmt: skip
        self.table("LimitMEMLOCK", "its memory is locked", f"VmLck {about['VmLck']}",
                   int(about["VmLck"].split()[0]) > 10_000)  # fmt: skip

    def played_to(self) -> None:
        """By programs that know nothing of it."""
        phrase, reply = Path("/tmp/phrase.mid"), Path("/tmp/reply.mid")
        phrase.write_bytes(FILE)
        dump = Synth("-p", self._port("Segue Out"))
        recorder = f"timeout -s INT 12 arecordmidi -p {self._port('Segue Out')} {reply} &"
        sh(f"({recorder}) >/dev/null 2>&1")
        say(f"aplaymidi -p {self._port('Segue In')} -d 0 {phrase}")
        until(lambda: dump.struck(REPLY) >= 3, 10 * self.slow)
        thru, replied = dump.struck(THRU), dump.struck(REPLY)
        self.table("`aplaymidi` to `Segue In`, `aseqdump` at `Segue Out`",
                   "the phrase passed on, then a reply on channel 16",
                   f"{thru} notes thru, {replied} of its own",
                   thru == 4 and replied >= 3)  # fmt: skip
        until(lambda: reply.exists() and reply.stat().st_size > 0, 15)
        self.table("`arecordmidi` at `Segue Out`", "a file with both",
                   f"{reply.stat().st_size} bytes", reply.stat().st_size > 60)  # fmt: skip
        self.unit.do("stop")
        hanging = len(dump.sounding())
        self.table("`systemctl stop segued` while it plays", "every note closed, status 0",
                   f"{hanging} hanging, {self.unit['Result']}",
                   hanging == 0 and self.unit["Result"] == "success")  # fmt: skip
        dump.close()

    def connected(self) -> None:
        """By aconnect, from a card's port; and disconnected while a key is held."""
        self.unit.anew()
        dump = Synth()
        card = self._port(self.keys.name)
        say(f"aconnect {card} {self._port('Segue In')}")
        say(f"aconnect {self._port('Segue Out')} {self._port('aseqdump')}")
        self.keys.phrase()
        until(lambda: dump.struck(REPLY) >= 2, 10 * self.slow)
        self.table("`aconnect` keys to it and it to a synth", "heard and answered",
                   f"{dump.struck(THRU)} notes thru, {dump.struck(REPLY)} of its own",
                   dump.struck(THRU) == 4 and dump.struck(REPLY) >= 2)  # fmt: skip
        why = self._why()
        say(f"aconnect -d {card} {self._port('Segue In')}")
        until(lambda: "connect a keyboard" in self._why(), 10 * self.slow)
        self.table("`aconnect -d` takes the keys away", "`segued status` says so",
                   f"before: {why}; after: {self._why()}",
                   "connect a keyboard" in self._why())  # fmt: skip
        dump.close()

    def asked(self) -> None:
        """Status, by its owner and by others."""
        SETTINGS.write_text(VIRTUAL)
        self.unit.anew()
        until(lambda: sh(f"{self.segued} status")[0] == 0)
        page = say(f"{self.segued} status")
        metrics = say(f"{self.segued} status --metrics")
        for folder in ("/home", "/tmp"):  # a disk on which every user may own files
            say(f"mount -t tmpfs -o mode=1777 segue {folder}")
        say("useradd --create-home --groups audio tester")
        status, said = sh(f"runuser -u tester -- {self.segued} status")
        self.table("`segued status` as root, and as somebody else", "an answer; none",
                   f"{page.splitlines()[0]}; {said.splitlines()[-1]}",
                   "running" in page and "segue_up" in metrics and status == 69
                   and "closed to you" in said)  # fmt: skip
        self.unit.do("stop")

    def session(self) -> None:
        """A user's own unit, in a session that lingers."""
        say("loginctl enable-linger tester")
        user = int(say("id -u tester"))
        until(lambda: Path(f"/run/user/{user}/systemd/private").exists())
        inside = f"runuser -u tester -- env XDG_RUNTIME_DIR=/run/user/{user} "
        say(f"cp -r {JOB} /home/tester/job && chown -R tester /home/tester")
        say(f"{inside} HOME=/home/tester make -C /home/tester/job install-service "
            f"SEGUED={self.segued}")  # fmt: skip
        config = Path("/home/tester/.config/segue/config.yaml")
        config.write_text(VIRTUAL)
        unit = Unit("segued", f"{inside} systemctl --user")
        status, said = unit.do("start")
        there = "'Segue In" in say("aconnect -l")
        self.table("`make install-service`, `systemctl --user start segued`",
                   "ready in the user's session", f"{unit['StatusText']} {said}",
                   status == 0 and there and unit.active())  # fmt: skip
        process = unit.process
        os.kill(process, signal.SIGKILL)
        took = until(lambda: unit.back(process))
        self.table("... `kill -9` there", "back", seconds(took), took is not None)
        status, _ = unit.do("stop")
        self.table("... and stopped", "success", unit["Result"], unit["Result"] == "success")

    def uninstall(self) -> None:
        """Without a trace but what is the user's."""
        say(f"make -C {JOB} uninstall-service SYSTEM=1")
        left = list(Path("/etc/systemd/system").glob("**/segued*"))
        self.table("`make uninstall-service SYSTEM=1`", "the units are gone, the settings are left",
                   f"units {len(left)}, settings {SETTINGS.exists()}",
                   not left and SETTINGS.exists())  # fmt: skip


def main(venv: Path) -> int:
    """All steps; 1 when anything was not as expected."""
    wheel = next((JOB / "wheel").glob("*.whl"))
    say(f"{venv}/bin/pip install --no-index --no-deps --no-compile --force-reinstall {wheel}")
    proof = Whole(venv)
    emulated = "segue.accelerator=tcg" in Path("/proc/cmdline").read_text()
    machine = "emulated by qemu, so times say little" if emulated else "at native speed"
    if "User Mode Linux" in Path("/proc/cpuinfo").read_text():
        machine = "user-mode Linux in the place of qemu, on a busy machine"
    print(f"# The service on a real system\n\n{time.strftime('%-d %B %Y')}, "
          f"{say('. /etc/os-release; echo $PRETTY_NAME')}, Linux {platform.release()} ({machine}), "
          f"{say('systemctl --version').splitlines()[0]}, {wheel.name}. Repeated by "
          "`tests/vm/run.sh docs/vm-proof.md`.\n\n| done | expected | seen | |\n|---|---|---|---|",
          flush=True)  # fmt: skip
    for step in (
        proof.install, proof.start, proof.privileges, proof.played_to, proof.connected,
        proof.named, proof.killed, proof.hung, proof.reloaded, proof.pulled, proof.refused,
        proof.awaited, proof.limited, proof.another_time, proof.asked, proof.session,
        proof.uninstall,
    ):  # fmt: skip
        try:
            step()
        except Exception as error:  # the steps after it are worth seeing all the same
            proof.table(f"({step.__name__})", "it can be seen", repr(error), False)
    table = proof.table
    verdict = f"All {table.rows} as expected" if not table.failed else f"{table.failed} not so"
    print(f"\n{verdict}.")
    return int(table.failed > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
