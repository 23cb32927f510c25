"""The content of a state file as plain values, as text for the user, and as metrics."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import __version__
from ..control.knobs import MODES, note_name
from .diagnosis import answers
from .state_numbers import NUMBERS
from .state_reader import Reading
from .statistics import share_of

SHARES = {"median": 0.5, "p99": 0.99, "max": 1.0}
QUANTILES = (0.5, 0.9, 0.99, 1.0)
LEVELS = {3: "error", 4: "warning"}
SUMMARIES = {
    "lateness": "how late planned messages were sent, in seconds (the last 2048)",
    "step": "duration of a model step, in seconds (the last 2048)",
}

Status = dict[str, Any]


def status_of(reading: Reading, now: float) -> Status:
    """The status as plain values. `now` is in monotonic seconds, as in the file."""
    n, facts = reading.numbers, reading.facts
    status: Status = {
        "name": facts.get("name", ""),
        "version": facts.get("version", __version__),
        "process": reading.process,
        "running": reading.running,
        "state": facts.get("state", "starting"),
        "uptime_s": round(now - n["started"], 3) if n["started"] else None,
        "loop_age_s": round(now - n["clock"], 3),
        "ports": {
            "backend": facts.get("backend", ""),
            "transport": facts.get("transport", ""),
            "input": facts.get("input", ""),
            "output": facts.get("output", ""),
            "connected": bool(n["connected"]),
            "missing": facts.get("missing", ""),
            "peers_in": int(n["peers_in"]) if n["peers_in"] >= 0 else None,
            "peers_out": int(n["peers_out"]) if n["peers_out"] >= 0 else None,
        },
        "model": facts.get("model", {}),
        "config": facts.get("config", ""),
        "page": facts.get("page", ""),
        "hears": facts.get("hears", []),
        "mapped": facts.get("mapped", {}),
        "presets": [name for name, _ in facts.get("presets", [])],
        "seed": facts.get("seed"),
        "scheduling": facts.get("scheduling", ""),
        "mode": MODES[int(n["mode"])],
        "gate": bool(n["gate"]),
        "turns_by": facts.get("turns_by", ""),
        "rests": bool(n["rests"]),
        "loop_s": _known(n["loop"]),
        "tempo": round(n["tempo"], 3),
        "clock": _clock(n),
        "heard_tempo": _heard(n),
        "replying": bool(n["replying"]),
        "reply_in_s": _known(n["reply_in"]),
        "held_key": _key(n["held_channel"], n["held_pitch"]),
        "pedal_channel": int(n["pedal_channel"]) + 1 if n["pedal_channel"] >= 0 else None,
        "silent_input_s": _since(now, n["last_received"]),
        "silent_output_s": _since(now, n["last_played"]),
        "sounding": [
            {"channel": channel + 1, "pitch": pitch, "voices": voices}
            for channel, pitch, voices in reading.ledger.sounding()
        ],
        "counts": {
            number.name: int(n[number.name]) for number in NUMBERS if number.kind == "counter"
        },
        "backlog_ids": int(n["backlog_ids"]),
        "step_ms": _spread(reading.rings["step"]),
        "late_ms": _spread(reading.rings["lateness"]),
        "memory_mb": _resident_mb(reading.process),
        "cpu_s": _cpu_seconds(reading.process),
        "last_reload": facts.get("last_reload", ""),
        "errors": [
            {"time": at, "level": LEVELS.get(level, "info"), "line": line}
            for at, level, line in facts.get("errors", [])
        ],
    }
    status["why"] = answers(status)
    return status


def page(status: Status) -> str:
    """The status as lines of text."""
    ports, counts, model = status["ports"], status["counts"], status["model"]
    up = _duration(status["uptime_s"]) if status["uptime_s"] is not None else "not ready yet"
    rows = [
        ("", f"{status['name']}: {status['state']} (process {status['process']}, up {up})"),
        ("ports", _transport(ports)),
        ("peers", f"{_count(ports['peers_in'])} to the input, "
                  f"{_count(ports['peers_out'])} to the output"),
        ("model", f"{model.get('name', '')}: {model.get('path', '')} "
                  f"({model.get('precision', '')})"),
        ("mode", status["mode"] + ("" if status["gate"] else ", gate closed")),
        ("tempo", f"{status['tempo']:g} BPM, {status['clock']}; {_yours(status['heard_tempo'])}"),
        ("scheduling", status["scheduling"]),
        ("steps", f"{counts['steps']}, {_line(status['step_ms'])}; "
                  f"{counts['skipped_ids']} tokens skipped, {status['backlog_ids']} waiting"),
        ("jitter", f"{_line(status['late_ms'])}; {counts['late']} of {counts['planned']} late"),
        ("messages", f"{counts['received']} in, {counts['sent']} out; {counts['notes_thru']} notes "
                     f"thru, {counts['notes_played']} by the model in {counts['replies']} replies"),
        ("sounding", ", ".join(f"{note_name(s['pitch'])} on channel {s['channel']}"
                               for s in status["sounding"]) or "nothing"),
        ("memory", f"{status['memory_mb']:.0f} MB" if status["memory_mb"] else "unknown"),
        ("reload", status["last_reload"] or "never"),
        ("page", status["page"] or "none"),
    ]  # fmt: skip
    lines = [f"{name:11} {text}" if name else text for name, text in rows]
    lines += [f"{'why' if i == 0 else '':11} {text}" for i, text in enumerate(status["why"])]
    for error in status["errors"]:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(error["time"]))
        lines.append(f"{error['level']:11} {stamp}  {error['line']}")
    return "\n".join(lines)


def metrics_of(reading: Reading, now: float) -> str:
    """The status in Prometheus' text format, version 0.0.4."""
    name = reading.facts.get("name", "")
    label = '{name="' + _escaped(name) + '"}'
    lines: list[str] = []

    def add(metric: str, kind: str, help: str, rows: Mapping[str, float]) -> None:
        lines.append(f"# HELP segue_{metric} {help}")
        lines.append(f"# TYPE segue_{metric} {kind}")
        lines.extend(f"segue_{metric}{suffix} {value:.10g}" for suffix, value in rows.items())

    for number in NUMBERS:
        value = reading.numbers[number.name]
        if number.kind == "counter":
            add(f"{number.name}_total", "counter", number.help, {label: value})
        elif number.kind and value >= 0:
            add(number.name, "gauge", number.help, {label: value})
    add("up", "gauge", "1 while the daemon runs", {label: float(reading.running)})
    add("loop_age_seconds", "gauge", "seconds since the music loop last reported",
        {label: now - reading.numbers["clock"]})  # fmt: skip
    sounding = sum(voices for _, _, voices in reading.ledger.sounding())
    add("sounding_notes", "gauge", "notes sounding on the output", {label: float(sounding)})
    memory = _resident_mb(reading.process)
    if memory:
        add("resident_bytes", "gauge", "resident memory", {label: memory * 1e6})
    computed = _cpu_seconds(reading.process)
    if computed is not None:
        add("cpu_seconds_total", "counter", "CPU time, user and system", {label: computed})
    counts = {"lateness": "planned", "step": "steps"}
    for ring, help in SUMMARIES.items():
        rows = {
            label[:-1] + f',quantile="{share:g}"}}': share_of(reading.rings[ring], share)
            for share in QUANTILES
            if reading.rings[ring]
        }
        rows[f"_count{label}"] = reading.numbers[counts[ring]]
        add(f"{ring}_seconds", "summary", help, rows)
    return "\n".join(lines) + "\n"


def _transport(ports: Mapping[str, Any]) -> str:
    if not ports["transport"]:
        return "none yet"
    return str(ports["transport"]) + ("" if ports["connected"] else " (gone)")


def _key(channel: float, pitch: float) -> dict[str, Any] | None:
    if channel < 0:
        return None
    return {"channel": int(channel) + 1, "pitch": int(pitch), "note": note_name(int(pitch))}


def _known(value: float) -> float | None:
    return None if value < 0 else round(value, 3)


def _since(now: float, then: float) -> float | None:
    return round(max(0.0, now - then), 3) if then else None


def _clock(numbers: Mapping[str, float]) -> str:
    if not numbers["clock_synced"]:
        return "internal clock"
    return "MIDI clock, " + ("running" if numbers["clock_running"] else "stopped")


def _heard(numbers: Mapping[str, float]) -> dict[str, float] | None:
    """The performer's tempo as followed, and how sure it is; None when there is none."""
    if numbers["heard_tempo"] < 0:
        return None
    certainty = round(numbers["heard_tempo_certainty"], 2)
    return {"bpm": round(numbers["heard_tempo"], 1), "certainty": certainty}


def _yours(heard: Mapping[str, float] | None) -> str:
    if heard is None:
        return "yours: none"
    return f"yours: {heard['bpm']:g} BPM, {heard['certainty']:.0%} sure"


def _spread(values: list[float]) -> dict[str, float] | None:
    """Quantiles in milliseconds; None when there are no values."""
    if not values:
        return None
    return {name: round(1000 * share_of(values, share), 4) for name, share in SHARES.items()}


def _line(spread: Mapping[str, float] | None) -> str:
    if spread is None:
        return "none yet"
    return ", ".join(f"{name} {value:.3g}" for name, value in spread.items()) + " ms"


def _count(peers: int | None) -> str:
    return "an unknown number" if peers is None else str(peers)


def _duration(seconds: float) -> str:
    days, rest = divmod(int(seconds), 86400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days} d {clock}" if days else clock


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _cpu_seconds(process: int) -> float | None:
    """The CPU time of a process, user and system, in seconds."""
    try:
        after_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return None


def _resident_mb(process: int) -> float | None:
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return None
    return float(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
