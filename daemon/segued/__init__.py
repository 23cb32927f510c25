"""Segue's player: listens on a MIDI input and carries the music on. Never imports torch."""

__version__ = "0.2.0"
