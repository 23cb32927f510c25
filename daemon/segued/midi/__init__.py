"""MIDI: messages as bytes, byte streams, MPE, files. Pure, except for reading and writing files."""
