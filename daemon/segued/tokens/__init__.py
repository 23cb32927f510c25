"""The pure core that training and playing share: events, vocabulary, tokenizer, MIDI files.

Nothing here reads a clock, opens a port or starts a thread.
"""
