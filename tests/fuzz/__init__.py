"""Hostile and broken input, in bulk. `python -m tests.fuzz` looks for what nobody thought of."""
