"""What was played before and may come again: repeats found, and how likely they are. Pure."""
