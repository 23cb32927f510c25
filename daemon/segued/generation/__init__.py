"""The musician: whose turn it is, what it plays, how, and what it remembers. Pure."""
