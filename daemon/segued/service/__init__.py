"""The daemon: main loop, hot reload, log, status and installation."""
