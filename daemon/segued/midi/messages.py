"""The numbers of MIDI 1.0: kinds of messages, controllers, and how long each message is.

They are plain integers, as the hot path compares them with the bytes of messages.
"""

from collections.abc import Sequence

KIND_MASK, CHANNEL_MASK = 0xF0, 0x0F
"""The upper half of a channel message's status is its kind, the lower half its channel."""

CHANNELS, PITCHES = 16, 128
DRUMS = 9  # the channel on which General MIDI has drums, whose keys are no pitches

NOTE_OFF = 0x80
NOTE_ON = 0x90
POLY_PRESSURE = 0xA0
CONTROL_CHANGE = 0xB0
PROGRAM_CHANGE = 0xC0
CHANNEL_PRESSURE = 0xD0
PITCH_BEND = 0xE0

SYSTEM = 0xF0  # statuses from here on are of no channel
SYSTEM_EXCLUSIVE, END_OF_EXCLUSIVE = 0xF0, 0xF7
QUARTER_FRAME, SONG_POSITION, SONG_SELECT, TUNE_REQUEST = 0xF1, 0xF2, 0xF3, 0xF6
REAL_TIME = 0xF8  # statuses from here on may come anywhere, even inside another message
TIMING_CLOCK, START, CONTINUE, STOP, RESET = 0xF8, 0xFA, 0xFB, 0xFC, 0xFF

BANK_SELECT = 0
DATA_ENTRY = 6
FINE = 32  # from a controller's coarse half (0 to 31) to its fine half
SUSTAIN = 64
SOSTENUTO = 66  # holds the notes whose keys are down as it goes down; the model does not hear it
HOLD_2 = 69
PEDALS = (SUSTAIN, SOSTENUTO, HOLD_2)
"""Controllers by which notes sound on when their keys are up. The model hears the first."""

SWITCHES = range(64, 70)  # controllers that MIDI defines as on or off: all pedals
SWITCH_ON = 64  # values of them from here on are "on", or "down"
TIMBRE = 74  # of one note, on a member channel of MPE
VELOCITY_PREFIX = 88  # the fine half of the next note's velocity: nothing may come in between
DATA_INCREMENT, DATA_DECREMENT = 96, 97
NRPN_FINE, NRPN_COARSE, RPN_FINE, RPN_COARSE = 98, 99, 100, 101  # what data entry means

CHANNEL_MODE = 120  # controllers from here on are channel mode messages
ALL_SOUND_OFF = 120
LOCAL_CONTROL = 122
ALL_NOTES_OFF = 123  # omni off and on, mono and poly (124 to 127) mean it, too

RELEASE_VELOCITY = 64  # of note-offs that we send ourselves: the MIDI default

DATA_BYTES = {
    **dict.fromkeys(range(NOTE_OFF, PROGRAM_CHANGE), 2),
    **dict.fromkeys(range(PROGRAM_CHANGE, PITCH_BEND), 1),
    **dict.fromkeys(range(PITCH_BEND, SYSTEM), 2),
    **dict.fromkeys((QUARTER_FRAME, SONG_SELECT), 1),
    SONG_POSITION: 2,
    TUNE_REQUEST: 0,
    **dict.fromkeys((TIMING_CLOCK, START, CONTINUE, STOP, RESET), 0),
}
"""How many data bytes follow a status byte. What is not here is passed over.

That is system exclusive (0xF0 to 0xF7), the undefined (0xF4, 0xF5, 0xF9, 0xFD) and active sensing
(0xFE): passed on, it would silence the receiver as soon as it stopped.
"""


def is_message(message: bytes) -> bool:
    """Whether the bytes are exactly one message of the kinds that Segue carries."""
    return (
        bool(message)
        and DATA_BYTES.get(message[0]) == len(message) - 1
        and message[1:].isascii()  # all data bytes below 0x80
    )


def is_note_on(message: Sequence[int]) -> bool:
    """Whether a message begins a note. A note-on of velocity 0 is a note-off."""
    return message[0] & KIND_MASK == NOTE_ON and message[2] > 0


def is_note_off(message: Sequence[int]) -> bool:
    """Whether a message ends a note."""
    kind = message[0] & KIND_MASK
    return kind == NOTE_OFF or (kind == NOTE_ON and not message[2])


def note_on(channel: int, pitch: int, velocity: int) -> bytes:
    """What begins a note."""
    return bytes((NOTE_ON | channel, pitch, velocity))


def note_off(channel: int, pitch: int) -> bytes:
    """What ends a note."""
    return bytes((NOTE_OFF | channel, pitch, RELEASE_VELOCITY))


def control_change(channel: int, controller: int, value: int = 0) -> bytes:
    """What sets a controller."""
    return bytes((CONTROL_CHANGE | channel, controller, value))


def release_all(channel: int) -> list[bytes]:
    """What ends all notes of a channel: its pedals up, then all notes off."""
    return [control_change(channel, each) for each in (*PEDALS, ALL_NOTES_OFF)]
