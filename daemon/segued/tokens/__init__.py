"""Music as the network reads it: events, the vocabularies, one to the other. Pure."""
