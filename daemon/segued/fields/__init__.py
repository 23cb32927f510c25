"""How options are declared and read: a default, a check, a help text. Pure."""
