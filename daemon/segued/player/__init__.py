"""The whole instrument without ports and clocks: messages and the time in, messages out. Pure."""
