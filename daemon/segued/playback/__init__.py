"""The looper: the last reply held and played again. Pure."""
