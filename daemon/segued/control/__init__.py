"""The performer's hand on the knobs: what can be turned, by which control, and MIDI learn. Pure."""
