"""The page in a browser, the metrics and OSC, served by a separate process."""
