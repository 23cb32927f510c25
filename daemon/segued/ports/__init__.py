"""MIDI ports of the operating system and of the network, and seeing that they are gone."""
