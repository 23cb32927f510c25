"""Musical time: MIDI clock, tempo, beats, bars and metre. Pure."""
