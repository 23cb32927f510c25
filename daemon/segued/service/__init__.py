"""The daemon as a service: its life, its log, what it shows of itself, reloading."""
