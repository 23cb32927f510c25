"""Who plays when: phrases, what ends a turn, what each mode means. Pure."""
