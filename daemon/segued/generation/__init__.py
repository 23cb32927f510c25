"""What is played: plans, drawing and shaping of notes, the best of n. Pure."""
