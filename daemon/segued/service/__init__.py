"""The daemon: its main loop, its reloads, its log, what it shows of itself."""
