"""MIDI itself: messages as bytes, files, MPE. Pure but for the files."""
