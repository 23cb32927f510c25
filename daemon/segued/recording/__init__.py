"""Performances written down while they are played, and played once more."""
