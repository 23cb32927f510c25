"""The numbers in the state file, in their order."""

from typing import NamedTuple


class Number(NamedTuple):
    """A number in the state file. `kind`: its Prometheus type; "": not exported as a metric."""

    name: str
    kind: str
    help: str


NUMBERS = (
    Number("clock", "", "monotonic seconds when these numbers were written"),
    Number("started", "", "monotonic seconds when the daemon became ready"),
    Number("received", "counter", "MIDI messages received"),
    Number("sent", "counter", "MIDI messages sent"),
    Number("notes_played", "counter", "notes played by the model"),
    Number("notes_thru", "counter", "notes of the performer passed on"),
    Number("replies", "counter", "replies begun by the model"),
    Number("planned", "counter", "messages sent that were planned for a certain time"),
    Number("late", "counter", "planned messages sent more than 3 ms late"),
    Number("steps", "counter", "model steps"),
    Number("skipped_ids", "counter", "tokens never fed to the model because it fell behind"),
    Number("backlog_ids", "gauge", "tokens received but not fed to the model yet"),
    Number("ports_lost", "counter", "times that the ports were lost"),
    Number("reloads", "counter", "reloads that were applied"),
    Number("refusals", "counter", "reloads that were refused"),
    Number("last_received", "", "monotonic seconds of the last message received; 0: never"),
    Number("last_struck", "", "monotonic seconds of the performer's last note-on; 0: never"),
    Number("last_played", "", "monotonic seconds of the model's last note-on; 0: never"),
    Number("peers_in", "gauge", "connections to the input; -1: unknown"),
    Number("peers_out", "gauge", "connections to the output; -1: unknown"),
    Number("connected", "gauge", "1 while the ports are open"),
    Number("replying", "gauge", "1 while the model has the floor"),
    Number("held_channel", "", "channel 0..15 of a key that the performer holds; -1: none"),
    Number("held_pitch", "", "pitch of that key"),
    Number("pedal_channel", "", "channel 0..15 of a pedal that the performer holds; -1: none"),
    Number("reply_in", "", "seconds until the reply begins; -1: no reply is due"),
    Number("tempo", "gauge", "beats per minute"),
    Number("heard_tempo", "gauge", "the performer's beats per minute; -1: no tempo is heard"),
    Number("heard_tempo_certainty", "gauge", "how sure that is, 0 to 1; -1: no tempo is heard"),
    Number("clock_synced", "gauge", "1 while a MIDI clock is followed"),
    Number("clock_running", "gauge", "1 between Start and Stop of the MIDI clock"),
    Number("gate", "gauge", "1 while the gate is open"),
    Number("mode", "", "index in knobs.MODES"),
    Number("rests", "gauge", "1 after a stop or panic until playing resumes"),
    Number("loop", "", "latency of MIDI feedback in seconds; -1: there is none"),
)
