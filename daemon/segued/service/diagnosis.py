"""Plain answers to "why is nothing sounding?", from a status. Pure."""

from typing import Any

STUCK = 3.0  # seconds without a sign of the music loop
QUIET = 30.0  # seconds without input worth a word
BEHIND = 100  # ids that wait for the model


def answers(status: dict[str, Any]) -> list[str]:
    """What keeps it silent, the weightiest first; at least one sentence, also when it plays."""
    if not status["running"]:
        return ["it is not running"]
    if status["state"] == "starting":
        return ["it is starting: the model is loaded"]
    ports = status["ports"]
    if not ports["connected"]:
        missing = ports["missing"] and f": {ports['missing']}"
        if not ports["transport"]:
            return [f"it waits for its ports{missing}"]
        return [f"its ports are gone: it waits for {ports['transport']} to come back{missing}"]
    if status["loop_age_s"] > STUCK:
        return [
            f"the music loop has not moved for {status['loop_age_s']:.0f} s: it hangs or the "
            "machine gives it no time (a watchdog ends it)"
        ]
    found = [*_forbidden(status), *_unplugged(status)]
    if not found or status["replying"]:
        found += _doing(status)
    if status["loop_s"] is not None:
        found.append(
            f"its output comes back to its input after {1000 * status['loop_s']:.0f} ms: that is "
            "left out (take the connection away)"
        )
    if status["backlog_ids"] > BEHIND:
        found.append(
            f"the model is {status['backlog_ids']} ids behind what was played: this machine is too "
            "slow for it, or busy"
        )
    return found


def _forbidden(status: dict[str, Any]) -> list[str]:
    found = []
    if not status["gate"]:
        found.append("the gate is closed: open it with the controller that is mapped to it")
    if status["mode"] == "listen":
        found.append("the mode is listen: it hears and remembers, and never plays")
    if status["rests"]:
        found.append(
            "it was told to stop: by Stop in the DAW (Start there wakes it), a panic or by hand (a "
            "key does)"
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
    """What it does or waits for, one sentence."""
    if status["replying"]:
        return ["it has the floor and plays"]
    if status["held_key"]:
        key = status["held_key"]
        return [
            f"waiting for silence: key {key['pitch']} ({key['note']}) of channel {key['channel']} "
            "is held"
        ]
    if status["reply_in_s"] is not None:
        return [f"its reply begins in {status['reply_in_s']:.2f} s, if nothing else is played"]
    if status["turns_by"] == "manual" and status["mode"] == "continue":
        return ["it waits to be given the floor by hand (turns.by is hand)"]
    if status["pedal_channel"] is not None:
        return [f"the performer's pedal of channel {status['pedal_channel']} is down"]
    silent = status["silent_input_s"]
    if silent is None:
        return [f"nothing has come in yet on '{status['ports']['input']}': play something"]
    if silent > QUIET:
        return [f"no input for {silent:.0f} s: it waits for you to play"]
    return ["it listens"]
