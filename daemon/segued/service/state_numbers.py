"""The numbers in the state file, in their order there."""

from typing import NamedTuple


class Number(NamedTuple):
    """A number in the state file. `kind` is Prometheus': "counter" or "gauge"; "" is not for it."""

    name: str
    kind: str
    help: str


NUMBERS = (
    Number("clock", "", "monotonic seconds when the rest was written"),
    Number("started", "", "monotonic seconds when the daemon became ready"),
    Number("received", "counter", "MIDI messages received"),
    Number("sent", "counter", "MIDI messages sent"),
    Number("notes_played", "counter", "notes that the model began"),
    Number("notes_thru", "counter", "notes of the performer passed on"),
    Number("replies", "counter", "turns that the model took"),
    Number("planned", "counter", "planned messages sent, which have a time they are due"),
    Number("late", "counter", "planned messages sent more than 3 ms late"),
    Number("steps", "counter", "model steps made"),
    Number("skipped_ids", "counter", "ids never taken in because the model fell behind"),
    Number("backlog_ids", "gauge", "ids heard that the model has not taken in yet"),
    Number("ports_lost", "counter", "times that the ports went away"),
    Number("reloads", "counter", "times that new settings were taken"),
    Number("refusals", "counter", "times that new settings were refused"),
    Number("last_received", "", "monotonic seconds; 0: never"),
    Number("last_played", "", "monotonic seconds when the model last began a note; 0: never"),
    Number("peers_in", "gauge", "connections to the input; -1: cannot be known here"),
    Number("peers_out", "gauge", "connections to the output; -1: cannot be known here"),
    Number("connected", "gauge", "1 while the ports are there"),
    Number("replying", "gauge", "1 while the model has the floor"),
    Number("held_channel", "", "channel 0..15 of a key that the performer holds; -1: none"),
    Number("held_pitch", "", "its pitch"),
    Number("pedal_channel", "", "channel 0..15 of a pedal that the performer holds; -1: none"),
    Number("reply_in", "", "seconds until the reply begins; -1: none is in sight"),
    Number("tempo", "gauge", "beats a minute"),
    Number("clock_synced", "gauge", "1 while it follows a MIDI clock"),
    Number("clock_running", "gauge", "1 between Start and Stop of the MIDI clock"),
    Number("gate", "gauge", "1 while it may play"),
    Number("mode", "", "which of knobs.MODES"),
    Number("rests", "gauge", "1 while it was told to stop and waits to be woken"),
    Number("loop", "", "seconds after which its output comes back to its input; -1: it does not"),
)
