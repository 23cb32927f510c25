"""MIDI ports of the operating system and of the network, and finding out that they are gone."""
