"""Musical time: the clock, its tempo, beats and bars. Pure."""
