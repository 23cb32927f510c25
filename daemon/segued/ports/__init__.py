"""MIDI ports of the operating system and over TCP, and detection of their loss."""
