"""Events, vocabularies, and encoding and decoding between them. Pure."""
