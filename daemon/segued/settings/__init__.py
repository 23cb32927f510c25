"""Every option, reading config.yaml, and keeping what was learned. Pure but for the files."""
