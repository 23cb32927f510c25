"""The sans-IO player: MIDI messages and the time in, MIDI messages out. Pure."""
