"""The commands besides the daemon: demo, bench, render, watch, models, learn, panic."""
