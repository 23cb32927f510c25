"""How an option is declared and read: a check, a default, a help text. Pure."""
