"""Commands beside the daemon: the demo, the bench, panic."""
