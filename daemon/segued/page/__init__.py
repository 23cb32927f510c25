"""The page in a browser, served by a process beside the music (see `segued.page.server`)."""
