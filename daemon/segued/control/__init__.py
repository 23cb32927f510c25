"""Knobs, and the controllers that set them: mappings, soft takeover, MIDI learn. Pure."""
