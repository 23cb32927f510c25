"""Recall: finds repeats of what the performer played, and estimates how likely they are. Pure."""
