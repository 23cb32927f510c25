"""Answers to "why is nothing sounding?", derived from a status. Pure."""

from typing import Any

STUCK = 3.0  # seconds without progress of the music loop
QUIET = 30.0  # seconds without input that are worth a sentence
BEHIND = 100  # tokens that wait for the model


def answers(status: dict[str, Any]) -> list[str]:
    """The reasons for silence, the most important first.

    At least one sentence: also when Segue plays.
    """
    if not status["running"]:
        return ["segued is not running"]
    if status["state"] == "starting":
        return ["segued is starting: it is loading the model"]
    ports = status["ports"]
    if not ports["connected"]:
        missing = ports["missing"] and f": {ports['missing']}"
        if not ports["transport"]:
            return [f"waiting for the ports{missing}"]
        return [f"the ports are gone: waiting for {ports['transport']} to come back{missing}"]
    if status["loop_age_s"] > STUCK:
        return [
            f"the music loop has not moved for {status['loop_age_s']:.0f} s: it hangs, or the "
            "machine gives it no CPU time (under systemd the watchdog restarts it)"
        ]
    found = [*_forbidden(status), *_unplugged(status)]
    if not found or status["replying"]:
        found += _doing(status)
    if status["loop_s"] is not None:
        found.append(
            f"MIDI feedback: the output returns to the input after {1000 * status['loop_s']:.0f} "
            "ms; the echo filter removes it (disconnect the two)"
        )
    if status["backlog_ids"] > BEHIND:
        found.append(
            f"the model is {status['backlog_ids']} tokens behind what was played: this machine is "
            "too slow for it, or busy"
        )
    return found


def _forbidden(status: dict[str, Any]) -> list[str]:
    found = []
    if not status["gate"]:
        found.append("the gate is closed: open it with the controller mapped to the knob gate")
    if status["mode"] == "listen":
        found.append("the mode is listen: Segue follows your playing and never plays")
    if status["rests"]:
        found.append(
            "stopped: after Stop in the DAW, Start resumes; after a panic or the action give, any "
            "key does"
        )
    return found


def _unplugged(status: dict[str, Any]) -> list[str]:
    ports, found = status["ports"], []
    if ports["peers_out"] == 0:
        found.append(f"nothing is connected to the output '{ports['output']}': connect a synth")
    if ports["peers_in"] == 0:
        found.append(f"nothing is connected to the input '{ports['input']}': connect a keyboard")
    return found


def _doing(status: dict[str, Any]) -> list[str]:
    """What Segue does or waits for, in one sentence."""
    if status["replying"]:
        return ["Segue is playing"]
    if status["held_key"]:
        key = status["held_key"]
        return [
            f"waiting for silence: key {key['pitch']} ({key['note']}) on channel {key['channel']} "
            "is held"
        ]
    if status["reply_in_s"] is not None:
        return [f"the reply begins in {status['reply_in_s']:.2f} s, unless you play on"]
    if status["turns_by"] == "manual" and status["mode"] == "continue":
        return ["waiting for the action take (turns.by is manual)"]
    if status["pedal_channel"] is not None:
        return [f"your pedal on channel {status['pedal_channel']} is down"]
    silent = status["silent_input_s"]
    if silent is None:
        return [f"no input yet on '{status['ports']['input']}': play something"]
    if silent > QUIET:
        return [f"no input for {silent:.0f} s: play something"]
    return ["listening"]
