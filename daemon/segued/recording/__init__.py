"""Recordings: performances are logged while they are played, and replayed exactly."""
