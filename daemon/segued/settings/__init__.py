"""config.yaml: all options together, the file, and what was learned by MIDI learn."""
